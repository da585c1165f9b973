"""Jobs: by state, by id, and what waits."""

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response

from libra.api.auth import OBSERVERS, Given
from libra.api.routers.scheduler.parameters import Asked, Parameters
from libra.api.routers.scheduler.telling import tell_lazily
from libra.api.schemas.scheduler import show_job
from libra.api.text import jobs
from libra.model.overview import JOBS
from libra.usecases.admin import overview
from libra.usecases.admin.overview import JobPage

router = APIRouter(tags=["scheduler: status"], dependencies=[Depends(OBSERVERS)])
USUAL = 200  # jobs in one answer


@router.get("/jobs")
def list_jobs(request: Request, services: Given, asked: Asked) -> Response:
    """The newest first: `limit` of them, behind the job `marker`."""
    state = asked.only("state", "limit", "marker").word("state", tuple(JOBS))
    limit = _limit(request, asked)
    page = overview.list_jobs(services, JOBS[state], limit, asked.text("marker"))
    more = None
    if len(page.jobs) == limit:
        more = "/jobs?" + urlencode({"state": state, "limit": limit, "marker": page.jobs[-1].id})
    return tell_lazily(
        request,
        lambda: jobs.render_page(page.jobs, page.pools, page.total, more),
        lambda: {"jobs": _shown(page), "total": page.total, "more": more},
    )


@router.get("/jobs/{job:segment}")
def show_one(request: Request, job: str, services: Given, asked: Asked) -> Response:
    """By its id."""
    asked.only()
    page = overview.find_job(services, job)
    return tell_lazily(
        request,
        lambda: jobs.render_jobs(page.jobs, page.pools),
        lambda: _shown(page)[0],
    )


@router.get("/job_pools", include_in_schema=False)
@router.get("/job-pools", include_in_schema=False)
@router.get("/job_pool", include_in_schema=False)
@router.get("/job-pool")
def show_pools(request: Request, services: Given, asked: Asked) -> Response:
    """Those that nobody has looked at yet, and those whose turn is to come."""
    limit = _limit(request, asked.only("limit"))
    new, scheduled = (overview.list_jobs(services, JOBS[word], limit) for word in ("new", "sched"))
    return tell_lazily(
        request,
        lambda: f"New jobs:\n{_page(new)}\n\nScheduled jobs:\n{_page(scheduled)}",
        lambda: {
            "new_jobs": _shown(new),
            "sched_jobs": _shown(scheduled),
            "new_total": new.total,
            "sched_total": scheduled.total,
        },
    )


def _limit(request: Request, asked: Parameters) -> int:
    most: int = request.app.state.max_page
    return min(most, asked.number("limit", least=1) if "limit" in asked else USUAL)


def _page(page: JobPage) -> str:
    return jobs.render_page(page.jobs, page.pools, page.total, None)


def _shown(page: JobPage) -> list[dict[str, Any]]:
    return [show_job(job, page.pools) for job in page.jobs]
