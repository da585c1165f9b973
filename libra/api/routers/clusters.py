"""Clusters, as Cinder's clients speak of them: /v3[/PROJECT]/clusters, with microversions and faults of their own."""

import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.routing import APIRoute

from libra.api.auth import Asking, Given
from libra.api.errors import status_of
from libra.api.schemas.clusters import (
    CLUSTERS_SINCE,
    SERVICE,
    Fault,
    Json,
    Order,
    Version,
    parse_filters,
    parse_order,
    parse_version,
    render_fault,
    show_brief,
    show_detail,
    show_switched,
    show_version,
    tell_version,
)
from libra.errors import LibraError
from libra.model.access import Caller, Role
from libra.model.cluster import narrow
from libra.usecases import clusters

VERSION_HEADER = "OpenStack-API-Version"
MEDIA_TYPES = ("application/json", "application/vnd.openstack.volume+json")
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request is, before it is looked at what it wants."""

    version: Version
    body: object = None


async def ask(request: Request, caller: Asking) -> Asked:
    """The checks before all others, in Cinder's order. Raises `Fault`."""
    version = parse_version(request.headers.get(VERSION_HEADER))
    body = await _read(request) if request.method == "PUT" else None
    project = request.path_params.get("project_id")
    if project is not None and not caller.sees_everything and project != caller.project_id:
        raise Fault(400, "Malformed request url: it names another project")
    if version < CLUSTERS_SINCE:
        raise Fault(404, "The resource could not be found.")
    return Asked(version=version, body=body)


async def _read(request: Request) -> object:
    media_type = (
        request.headers.get("content-type", MEDIA_TYPES[0]).partition(";")[0].strip().lower()
    )
    if media_type not in MEDIA_TYPES:
        raise Fault(415, f"Unsupported Content-Type: it must be {MEDIA_TYPES[0]}")
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError):
        raise Fault(400, "Malformed request body: it is no JSON") from None


class ClusterRoute(APIRoute):
    """Answers every failure as Cinder's clients read it, and names the version in every answer."""

    def get_route_handler(self) -> Handler:
        """What FastAPI calls."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                response = await handle(request)
            except Fault as fault:
                response = JSONResponse(render_fault(fault.status, str(fault)), fault.status)
            except LibraError as error:
                response = JSONResponse(
                    render_fault(status := status_of(error), str(error)), status
                )
            except RequestValidationError:
                response = JSONResponse(render_fault(400, "the request cannot be read"), 400)
            asked = request.headers.get(VERSION_HEADER, f"{SERVICE} 3.0")
            response.headers[VERSION_HEADER] = _told(asked)
            response.headers["Vary"] = VERSION_HEADER
            response.headers["x-compute-request-id"] = request.state.request_id
            return response

        return answer


def _told(asked: str) -> str:
    """An echo, but for what is none of a version's words."""
    try:
        return f"{SERVICE} {tell_version(parse_version(asked))}"
    except Fault as fault:
        shown = asked.isascii() and asked.isprintable() and len(asked) < 100
        return asked if fault.status == 406 and shown else SERVICE


Read = Annotated[Asked, Depends(ask)]
router = APIRouter(route_class=ClusterRoute, include_in_schema=False)
BASES = ("/v3", "/volume/v3")
"""Clients are given the root of the API or /volume."""
PLACES = tuple(f"{base}{project}/clusters" for base in BASES for project in ("", "/{project_id}"))


def _ensure_sees_all(caller: Caller) -> None:
    if not caller.sees_everything:
        raise Fault(403, "Policy doesn't allow volume:clusters:get to be performed.")


def _ensure_may_change(caller: Caller) -> None:
    if caller.role not in (Role.ADMIN, Role.OPERATOR):
        raise Fault(403, "Policy doesn't allow volume:clusters:update to be performed.")


def list_clusters(request: Request, asked: Read, services: Given, caller: Asking) -> Json:
    """In brief."""
    _ensure_sees_all(caller)
    filters = parse_filters(request.query_params.multi_items(), asked.version)
    found = narrow(clusters.list_clusters(services), filters)
    return {"clusters": [show_brief(item, asked.version) for item in found]}


def list_details(request: Request, asked: Read, services: Given, caller: Asking) -> Json:
    """With hosts and times."""
    _ensure_sees_all(caller)
    filters = parse_filters(request.query_params.multi_items(), asked.version)
    found = narrow(clusters.list_clusters(services), filters)
    return {"clusters": [show_detail(item, asked.version) for item in found]}


def show_cluster(name: str, request: Request, asked: Read, services: Given, caller: Asking) -> Json:
    """By its name, and `binary` in the query, if any."""
    _ensure_sees_all(caller)
    binary = request.query_params.get("binary")
    return {"cluster": show_detail(clusters.find_cluster(services, name, binary), asked.version)}


def enable_cluster(asked: Read, services: Given, caller: Asking) -> Json:
    """New load balancers may be placed there."""
    return _switch(
        asked, services, caller, parse_order(asked.body, disabling=False), disabled=False
    )


def disable_cluster(asked: Read, services: Given, caller: Asking) -> Json:
    """Nothing new is placed there; what runs runs on."""
    return _switch(asked, services, caller, parse_order(asked.body, disabling=True), disabled=True)


def _switch(asked: Asked, services: Given, caller: Caller, order: Order, *, disabled: bool) -> Json:
    _ensure_may_change(caller)
    switched = clusters.switch_cluster(
        services, caller, order.name, order.binary, disabled=disabled, reason=order.reason
    )
    return {"cluster": show_switched(switched, asked.version)}


for place in PLACES:
    router.get(place)(list_clusters)
    router.get(f"{place}/detail")(list_details)
    router.put(f"{place}/enable")(enable_cluster)
    router.put(f"{place}/disable")(disable_cluster)
    router.get(f"{place}/{{name}}")(show_cluster)

versions = APIRouter(include_in_schema=False)


def version_document(request: Request) -> Json:
    """What Cinder's client looks for before anything else; needs no token."""
    base = str(request.base_url).rstrip("/")
    root = "/volume" if request.url.path.startswith("/volume") else ""
    return {"versions": [show_version(f"{base}{root}")]}


def redirect(request: Request) -> Response:
    """To the document."""
    return RedirectResponse(f"{request.url.path}/", 302)


for path in ("/v3/", "/volume", "/volume/", "/volume/v3/"):
    versions.get(path)(version_document)
for path in BASES:
    versions.get(path)(redirect)
