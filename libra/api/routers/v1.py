"""What is ours alone: jobs, tokens, logs."""

from dataclasses import replace
from datetime import datetime

from fastapi import APIRouter, Depends, Request, Response

from libra.api.auth import ADMINS, EVERYBODY, OPERATORS, WRITERS, Asking, Given
from libra.api.listing import build_links
from libra.api.places import marker_of, read_place
from libra.api.rendering import WrittenRoute
from libra.api.routers.octavia import Json, answer, page_of
from libra.api.schemas.shown import show_fields
from libra.api.schemas.v1 import LogsBody, TokenBody
from libra.errors import Forbidden, Invalid
from libra.model.access import Token
from libra.model.job import Job
from libra.storage.query import Query as StorageQuery
from libra.storage.query import Since
from libra.usecases import jobs, logs, tokens
from libra.usecases.jobs import Order

router = APIRouter(prefix="/v1", route_class=WrittenRoute)
_JOB = (
    *("id", "action", "state", "priority", "device_id", "device_name", "project_id"),
    *("loadbalancer_id", "generation", "attempts", "created_at", "updated_at", "deadline"),
    *("not_before", "sent_at", "requested_by", "request_id", "error"),
)
_TOKEN = ("id", "name", "role", "project_id", "created_at", "expires_at", "revoked_at")


def show_job_record(job: Job, *, whole: bool = False) -> Json:
    names = (*_JOB, "message", "reply") if whole else _JOB
    return {"job": show_fields(job, names)}


@router.get("/jobs", dependencies=[Depends(EVERYBODY)], tags=["jobs"])
def list_jobs(request: Request, services: Given, caller: Asking) -> Json:
    """By state, device, load_balancer, action and every other attribute; `since` a time, those made from then on.

    A job is seen when the change that it carries is stored, which may be after others that were made later: who asks
    again and again with `since` goes a minute further back than what is known, or follows the events. Pages are
    followed by their links, for the records of probes move to the end.
    """
    aliases = {
        "device": "device_name",
        "load_balancer": "loadbalancer_id",
        "since": "created_at",
    }
    page = page_of(request, Job, caller, aliases, strict=True)
    query = _with_since(page.query) if "since" in request.query_params else page.query
    query = replace(query, place=read_place(query.marker, query, Job))
    found = [] if page.nothing else jobs.list_jobs(services, query)
    mark, url = marker_of(query, Job), str(request.url.replace(query=""))
    links = build_links(url, request.query_params, found, page, mark)
    return {"jobs": [show_fields(item, _JOB) for item in found], "jobs_links": links}


def _with_since(query: StorageQuery) -> StorageQuery:
    moment = query.where["created_at"]
    if not isinstance(moment, datetime):
        raise Invalid("cannot use since beside created_at, which is the same time")
    return replace(query, where={**query.where, "created_at": Since(moment)})


@router.get("/jobs/{job_id}", dependencies=[Depends(EVERYBODY)], tags=["jobs"])
def show_job(job_id: str, services: Given, caller: Asking) -> Json:
    """With the message and the reply, secrets masked."""
    job = jobs.find_job(services, job_id)
    if not caller.sees_everything and job.project_id != caller.project_id:
        raise Forbidden("cannot show it: it belongs to another project")
    return show_job_record(job, whole=caller.sees_everything)


@router.post("/jobs/{job_id}/{order}", dependencies=[Depends(OPERATORS)], tags=["jobs"])
def order_job(job_id: str, order: Order, services: Given, caller: Asking) -> Json:
    """Hold, release, cancel, retry."""
    return show_job_record(jobs.order_job(services, caller, job_id, order))


@router.get("/tokens", dependencies=[Depends(ADMINS)], tags=["tokens"])
def list_tokens(request: Request, services: Given, caller: Asking) -> Json:
    """Without their secrets, which nobody knows."""
    page = page_of(request, Token, caller, strict=True)
    found = [] if page.nothing else tokens.list_tokens(services, page.query)
    return answer(request, "tokens", found, [_show_token(token) for token in found], page)


def _show_token(token: Token) -> Json:
    return show_fields(token, _TOKEN)


@router.post("/tokens", status_code=201, dependencies=[Depends(ADMINS)], tags=["tokens"])
def create_token(body: TokenBody, services: Given, caller: Asking) -> Json:
    """The secret is in this answer only."""
    expires = body.expires_at
    if expires is not None and expires <= services.clock():
        raise Invalid("cannot create the token: expires_at is over")
    token, secret = tokens.create_token(
        services, caller, body.name, body.role, body.project_id, expires
    )
    return {"token": {**_show_token(token), "secret": secret}}


@router.delete(
    "/tokens/{token_id}", status_code=204, dependencies=[Depends(ADMINS)], tags=["tokens"]
)
def revoke_token(token_id: str, services: Given, caller: Asking) -> Response:
    """From the next request on."""
    tokens.revoke_token(services, caller, token_id)
    return Response(status_code=204)


@router.post(
    "/loadbalancers/{loadbalancer_id}/logs",
    status_code=202,
    dependencies=[Depends(WRITERS)],
    tags=["logs"],
)
def archive_logs(loadbalancer_id: str, body: LogsBody, services: Given, caller: Asking) -> Json:
    """An ARCHIVE job."""
    job = logs.archive_logs(
        services,
        caller,
        loadbalancer_id,
        store=body.object_store_type,
        endpoint=body.object_store_endpoint,
        basepath=body.object_store_basepath,
        token=body.auth_token,
    )
    return show_job_record(replace(job, sealed=""))
