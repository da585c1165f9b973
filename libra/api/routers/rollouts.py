"""Rollouts: what a client that leads one stores, and what others may see and ask of it."""

import json
from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from libra.api.auth import DEPLOYERS, NODE_READERS, Asking, Given
from libra.api.rendering import WrittenRoute
from libra.api.routers.octavia import Json
from libra.api.schemas.rollouts import (
    AbortBody,
    EndBody,
    LeaseBody,
    RolloutBody,
    RolloutOptions,
    RolloutResume,
    StepBody,
)
from libra.api.schemas.shown import show_fields
from libra.api.schemas.types import Text
from libra.errors import LastTaker
from libra.model.rollout import RolloutState
from libra.storage.query import Query as StorageQuery
from libra.usecases import rolloutnodes, rollouts
from libra.usecases.rolloutnodes import Looked
from libra.usecases.rollouts import Begin, Whole
from libra.usecases.services import Services

router = APIRouter(prefix="/v1/rollouts", route_class=WrittenRoute, tags=["rollouts"])
live = APIRouter(prefix="/v1/nodegroups", route_class=WrittenRoute, tags=["rollouts"])
READ, WRITE = [Depends(NODE_READERS)], [Depends(DEPLOYERS)]
_ROLLOUT = (
    *("id", "group", "state", "reason", "author", "holder", "lease", "lease_until", "wish"),
    *("created_at", "updated_at", "ended_at"),
)
_STEP = ("node", "position", "phase", "reason", "taken", "since")


def _show(services: Services, whole: Whole) -> Json:
    """`led` is False also where its leader has died."""
    phases = Counter(step.phase.value for step in whole.steps)
    return {
        **show_fields(whole.rollout, _ROLLOUT),
        "led": whole.rollout.is_led(services.clock()),
        "phases": dict(sorted(phases.items())),
    }


def _show_one(services: Services, whole: Whole) -> Json:
    shown = _show(services, whole)
    shown["options"] = json.loads(whole.rollout.options)
    shown["nodes"] = [show_fields(step, _STEP) for step in whole.steps]
    return {"rollout": shown}


def _refresh(request: Request) -> None:
    """The next health check that this controller answers is of what was just marked."""
    request.app.state.board.refresh_quietly()


def _write(options: RolloutOptions) -> str:
    return options.model_dump_json()


@router.get("", dependencies=READ)
def list_rollouts(
    services: Given,
    group: Annotated[Text | None, Query()] = None,
    state: RolloutState | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    marker: Annotated[
        Text | None, Query(description="the id of the last one that is known")
    ] = None,
) -> Json:
    """The newest first, those that ended, too; with how many nodes are in which phase."""
    given = {"group": group, "state": state}
    where = {name: value for name, value in given.items() if value is not None}
    query = StorageQuery(
        where=where, sort=(("created_at", False),), limit=limit, marker=marker or None
    )
    found = rollouts.list_rollouts(services, query)
    return {"rollouts": [_show(services, whole) for whole in found]}


@router.post("", status_code=201, dependencies=WRITE)
def begin_rollout(body: RolloutBody, services: Given, caller: Asking) -> Json:
    """Led by the caller, who has to be heard of before `lease_until`, again and again. One a group is open."""
    asked = Begin(
        group=body.group,
        nodes=body.nodes,
        min_online=body.options.min_online,
        options=_write(body.options),
        holder=body.holder,
    )
    return _show_one(services, rollouts.begin_rollout(services, caller, asked))


@router.get("/{rollout_id}", dependencies=READ)
def show_rollout(rollout_id: str, services: Given) -> Json:
    """By id, or the newest of the group with that name."""
    return _show_one(services, rollouts.find_rollout(services, rollout_id))


@router.post("/{rollout_id}/heartbeat", dependencies=WRITE)
def renew_lease(rollout_id: str, body: LeaseBody, services: Given, caller: Asking) -> Json:
    """Its leader is alive. 409 says that it must stop at once: another leads it, or it was ended."""
    whole = rollouts.renew_lease(services, rollout_id, body.lease)
    return _show_one(services, whole)


@router.post("/{rollout_id}/steps", dependencies=WRITE)
def record_step(rollout_id: str, body: StepBody, services: Given, caller: Asking) -> Json:
    """A node enters a phase; stored before its leader acts on it."""
    whole = rollouts.record_step(
        services, caller, rollout_id, body.lease, body.node, body.phase, body.reason
    )
    return _show_one(services, whole)


@router.post("/{rollout_id}/nodes/{node}/mark", dependencies=WRITE)
def mark_node(
    rollout_id: str,
    node: str,
    body: LeaseBody,
    request: Request,
    services: Given,
    caller: Asking,
) -> Json:
    """Online or offline, as the phase says that was recorded; not yet, where `waits_for` says why: ask again then."""
    try:
        whole = rolloutnodes.mark_node(services, caller, rollout_id, body.lease, node)
    except LastTaker as error:
        whole = rollouts.find_rollout(services, rollout_id)
        return {**_show_one(services, whole), "waits_for": str(error)}
    _refresh(request)
    return {**_show_one(services, whole), "waits_for": None}


@router.post("/{rollout_id}/end", dependencies=WRITE)
def end_rollout(rollout_id: str, body: EndBody, services: Given, caller: Asking) -> Json:
    """By its leader."""
    whole = rollouts.end_rollout(services, caller, rollout_id, body.lease, body.state, body.reason)
    return _show_one(services, whole)


@router.post("/{rollout_id}/resume", dependencies=WRITE)
def resume_rollout(rollout_id: str, body: RolloutResume, services: Given, caller: Asking) -> Json:
    """Led by the caller from now on; nodes that failed are tried again. 409 while its leader is heard of."""
    options = _write(body.options) if body.options is not None else None
    whole = rollouts.resume_rollout(services, caller, rollout_id, body.holder, options)
    return _show_one(services, whole)


@router.post("/{rollout_id}/stop", dependencies=WRITE)
def stop_rollout(rollout_id: str, services: Given, caller: Asking) -> Json:
    """Its leader is asked to finish the nodes in work, and to take no other."""
    return _show_one(services, rollouts.ask_to_stop(services, caller, rollout_id))


@router.post("/{rollout_id}/abort", dependencies=WRITE)
def abort_rollout(
    rollout_id: str, body: AbortBody, request: Request, services: Given, caller: Asking
) -> Json:
    """For good: at once, or by its leader after the nodes in work."""
    whole = rolloutnodes.abort_with_nodes(services, caller, rollout_id, body.restore)
    _refresh(request)
    return _show_one(services, whole)


@live.get("/{group}/sessions", dependencies=READ)
def look_at_group(group: str, services: Given) -> Json:
    """Its nodes by name, and what every device says of them now; asks them all, once."""
    look = rolloutnodes.look_at_group(services, group)
    return {
        "group": {"name": look.group.name, "least_online": look.least},
        "nodes": [_show_looked(item) for item in look.nodes],
    }


def _show_looked(item: Looked) -> Json:
    """`sessions` as far as they are known: `silent` are the devices that did not say.

    Members that their owners have switched off are not among `members`.
    """
    told = item.sessions
    return {
        **show_fields(
            item.node, ("name", "address", "port", "status", "reason", "author", "since")
        ),
        "sessions": told.sessions,
        "silent": list(told.silent),
        "members": len(told.members) - item.unused,
        "open_members": sum(member.takes_traffic for member in told.members),
    }
