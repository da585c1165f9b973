"""The health reporter: what load balancers ask, and the REST methods of the seed `clustermgmt.txt` beside it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.convertors import StringConvertor, register_url_convertor

from libra.api.auth import DEPLOYERS, NODE_READERS, Asking, Given, services_of
from libra.api.probes import GROUP_ROUTE, PATH, answer_probe
from libra.api.rendering import WrittenRoute
from libra.api.schemas.nodes import Json, StatusChange, parse_change, show_statuses
from libra.model.access import Caller
from libra.model.nodestatus import GROUP_NAME
from libra.usecases import nodegroups, nodestatus
from libra.usecases.services import Services


class GroupConvertor(StringConvertor):
    """A group's name in a path: the names of the REST methods are none."""

    regex = GROUP_NAME


register_url_convertor("nodegroup", GroupConvertor())
GROUP = GROUP_ROUTE.replace("{group}", "{group:nodegroup}")
STATUSES, SETTING = "/++rest++nodestatus", "/++rest++setstatus"
CHANGE = {
    "requestBody": {
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {"change": {"type": "string"}},
                }
            },
            "application/json": {"schema": {"type": "object"}},
        }
    }
}
PLAIN = {"text/plain": {"schema": {"type": "string"}}}
FAULT = {"application/json": {"schema": {"$ref": "#/components/schemas/Fault"}}}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The node is online", "content": PLAIN},
    400: {"description": "Not exactly one node is named", "content": PLAIN},
    404: {"description": "There is no such node", "content": PLAIN | FAULT},
    503: {"description": "The node is offline", "content": PLAIN},
}
router = APIRouter(route_class=WrittenRoute)
READS = [Depends(NODE_READERS)]
MARKS = [Depends(DEPLOYERS)]


@router.get(PATH, tags=["health"], responses=ANSWERS, response_class=PlainTextResponse)
def probe(request: Request) -> Response:
    """200 for a node that is online, 503 for one that is not, 404 for one that is not known. Needs no token."""
    return answer_probe(request.app.state.board, "", request.scope["query_string"])


@router.get(GROUP, tags=["health"], responses=ANSWERS, response_class=PlainTextResponse)
def probe_in_group(group: str, request: Request) -> Response:
    """The same, where the node must be of that group."""
    return answer_probe(request.app.state.board, group, request.scope["query_string"])


@router.get(f"{PATH}{STATUSES}", dependencies=READS, tags=["health"])
def list_statuses(services: Given) -> Json:
    """Of every node."""
    return show_statuses(nodestatus.load_board(services))


@router.get(f"{GROUP}{STATUSES}", dependencies=READS, tags=["health"])
def list_statuses_of_group(group: str, services: Given) -> Json:
    """Of the group's nodes."""
    nodegroups.find_group(services, group)
    return show_statuses(nodestatus.load_board(services), group)


async def read_change(request: Request) -> StatusChange:
    """From the form, the address or the body."""
    services = await services_of(request)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return parse_change(request.query_params, media_type, await request.body(), services.clock())


Changing = Annotated[StatusChange, Depends(read_change)]


@router.post(f"{PATH}{SETTING}", dependencies=MARKS, tags=["health"], openapi_extra=CHANGE)
def set_statuses(request: Request, change: Changing, services: Given, caller: Asking) -> Json:
    """All of them or none."""
    return _set(request, services, caller, change, None)


@router.post(f"{GROUP}{SETTING}", dependencies=MARKS, tags=["health"], openapi_extra=CHANGE)
def set_statuses_of_group(
    group: str, request: Request, change: Changing, services: Given, caller: Asking
) -> Json:
    """All of them or none; they must be of that group."""
    return _set(request, services, caller, change, group)


def _set(
    request: Request, services: Services, caller: Caller, change: StatusChange, group: str | None
) -> Json:
    nodestatus.set_status(services, caller, change.marks, group=group, force=change.force)
    request.app.state.board.refresh_quietly()
    return {"status": "OK"}
