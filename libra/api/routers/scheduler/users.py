"""Users, which are projects: fresh tokens for their accounts at object stores."""

from fastapi import APIRouter, Depends, Request, Response

from libra.api.auth import OPERATORS, Given
from libra.api.rendering import WrittenRoute
from libra.api.routers.objectstores import show_account
from libra.api.routers.scheduler.ordering import COMMENT, Ordering
from libra.api.routers.scheduler.parameters import Asked
from libra.api.routers.scheduler.telling import tell
from libra.usecases import objectstores
from libra.usecases.admin.comments import ensure_comment

router = APIRouter(tags=["users"], route_class=WrittenRoute)
JOBS, ACCOUNT = "job_proxy", "vm_proxy"


@router.post("/users/{user:segment}", dependencies=[Depends(OPERATORS)])
def refresh(
    request: Request, user: str, asked: Asked, services: Given, caller: Ordering
) -> Response:
    """`refresh=vm_proxy`: a fresh token for the account, which new jobs get; `job_proxy`: its open jobs get it, too."""
    what = asked.only("refresh", COMMENT).word("refresh", (JOBS, ACCOUNT))
    ensure_comment(services, caller)
    done = objectstores.refresh(services, caller, user, jobs=what == JOBS)
    text = f"The object-store token of {user!a} is fresh"
    text += f", and {done.jobs} open jobs have it." if what == JOBS else "."
    shown = {"user": user, "refresh": what, "jobs": done.jobs}
    return tell(request, text, {**shown, "objectstore": show_account(done.account)})
