"""Nodes whose health is reported, and their groups."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from libra.api.auth import DEPLOYERS, NODE_READERS, OPERATORS, Asking, Given
from libra.api.rendering import WrittenRoute
from libra.api.schemas.nodes import (
    Json,
    NodeBody,
    NodeChange,
    NodeGroupBody,
    NodeGroupChange,
    NodesAsked,
    NodesStatusBody,
    NodeStatusBody,
    build_mark,
    show_group,
    show_node,
    show_sessions,
)
from libra.model.access import Caller
from libra.model.nodestatus import Mark, Node, NodeGroup
from libra.storage.query import Query as StorageQuery
from libra.usecases import nodegroups, nodes, nodestatus
from libra.usecases.nodesessions import sessions_of
from libra.usecases.services import Services

router = APIRouter(prefix="/v1", route_class=WrittenRoute)
READS = [Depends(NODE_READERS)]
WRITES = [Depends(OPERATORS)]
MARKS = [Depends(DEPLOYERS)]


def _refresh(request: Request) -> None:
    """The next health check that this controller answers is of what was just stored."""
    request.app.state.board.refresh_quietly()


def _show_one(services: Services, node: Node) -> Json:
    return {"node": show_node(node, nodegroups.group_names(services))}


@router.get("/nodes", dependencies=READS, tags=["nodes"])
def list_nodes(services: Given, asked: Annotated[NodesAsked, Query()]) -> Json:
    """By name, of a group or with a status; the next page begins behind `marker`."""
    where: dict[str, object] = {}
    if asked.group is not None:
        where["group_id"] = nodegroups.find_group(services, asked.group).id
    if asked.status is not None:
        where["status"] = asked.status
    marker = nodes.find_node(services, asked.marker).id if asked.marker else None
    query = StorageQuery(where=where, sort=(("name", True),), marker=marker, limit=asked.limit)
    groups = nodegroups.group_names(services)
    return {"nodes": [show_node(node, groups) for node in nodes.list_nodes(services, query)]}


@router.post("/nodes", status_code=201, dependencies=WRITES, tags=["nodes"])
def add_node(request: Request, body: NodeBody, services: Given, caller: Asking) -> Json:
    """Online from now on."""
    added = nodes.create_node(services, caller, body.given())
    _refresh(request)
    return _show_one(services, added)


@router.get("/nodes/{node}", dependencies=READS, tags=["nodes"])
def show_one_node(node: str, services: Given, *, sessions: bool = True) -> Json:
    """By its name; with its live sessions over all devices, which are asked, unless `sessions` is false."""
    found = nodes.find_node(services, node)
    shown = _show_one(services, found)
    if sessions:
        shown["node"]["sessions"] = show_sessions(sessions_of(services, found))
    return shown


@router.put("/nodes/{node}", dependencies=WRITES, tags=["nodes"])
def change_node(
    node: str, body: NodeChange, request: Request, services: Given, caller: Asking
) -> Json:
    """Only what is given changes."""
    changed = nodes.change_node(services, caller, node, body.given())
    _refresh(request)
    return _show_one(services, changed)


@router.delete("/nodes/{node}", status_code=204, dependencies=WRITES, tags=["nodes"])
def remove_node(node: str, request: Request, services: Given, caller: Asking) -> Response:
    """Its mark goes with it."""
    nodes.remove_node(services, caller, node)
    _refresh(request)
    return Response(status_code=204)


@router.put("/nodes/{node}/status", dependencies=MARKS, tags=["nodes"])
def set_status(
    node: str, body: NodeStatusBody, request: Request, services: Given, caller: Asking
) -> Json:
    """Offline: nothing new goes to its members, from now on. Online: they are used as their owners want."""
    mark = build_mark(body, services.clock())
    (done,) = _set(request, services, caller, {node: mark}, force=body.force)
    return _show_one(services, done)


@router.post("/nodes/status", dependencies=MARKS, tags=["nodes"])
def set_statuses(body: NodesStatusBody, request: Request, services: Given, caller: Asking) -> Json:
    """The same for several nodes: all of them or none."""
    mark = build_mark(body, services.clock())
    marks = dict.fromkeys(body.names, mark)
    done = _set(request, services, caller, marks, force=body.force)
    groups = nodegroups.group_names(services)
    return {"nodes": [show_node(node, groups) for node in done]}


def _set(
    request: Request, services: Services, caller: Caller, marks: Mapping[str, Mark], *, force: bool
) -> list[Node]:
    done = nodestatus.set_status(services, caller, marks, force=force, keep_pools=True)
    _refresh(request)
    return [item.after for item in done]


# Groups.


def _show_groups(services: Services, found: list[NodeGroup]) -> list[Json]:
    statuses = list(nodestatus.load_board(services).values())
    return [
        show_group(
            group,
            sum(of == group.name for of, _ in statuses),
            sum(of == group.name and status.value == "online" for of, status in statuses),
        )
        for group in found
    ]


@router.get("/nodegroups", dependencies=READS, tags=["nodes"])
def list_groups(services: Given) -> Json:
    """With how many nodes each has, and how many of them are online."""
    return {"nodegroups": _show_groups(services, nodegroups.list_groups(services))}


@router.post("/nodegroups", status_code=201, dependencies=WRITES, tags=["nodes"])
def add_group(body: NodeGroupBody, services: Given, caller: Asking) -> Json:
    """Without nodes."""
    added = nodegroups.create_group(services, caller, body.given())
    return {"nodegroup": show_group(added, 0, 0)}


@router.get("/nodegroups/{group}", dependencies=READS, tags=["nodes"])
def show_one_group(group: str, services: Given) -> Json:
    """By its name."""
    return {"nodegroup": _show_groups(services, [nodegroups.find_group(services, group)])[0]}


@router.put("/nodegroups/{group}", dependencies=WRITES, tags=["nodes"])
def change_group(group: str, body: NodeGroupChange, services: Given, caller: Asking) -> Json:
    """Only what is given changes."""
    changed = nodegroups.change_group(services, caller, group, body.given())
    return {"nodegroup": _show_groups(services, [changed])[0]}


@router.delete("/nodegroups/{group}", status_code=204, dependencies=WRITES, tags=["nodes"])
def remove_group(group: str, services: Given, caller: Asking) -> Response:
    """Only one without nodes."""
    nodegroups.remove_group(services, caller, group)
    return Response(status_code=204)
