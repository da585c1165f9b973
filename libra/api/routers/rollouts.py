"""Rollouts: what a client that leads one stores, and what others may see and ask of it."""

import json
from collections import Counter

from fastapi import APIRouter, Depends, Request

from libra.api.auth import OBSERVERS, OPERATORS, Asking, Given
from libra.api.listing import build_links
from libra.api.rendering import WrittenRoute
from libra.api.routers.octavia import Json, page_of
from libra.api.schemas.rollouts import (
    EndBody,
    LeaseBody,
    RolloutBody,
    RolloutOptions,
    RolloutResume,
    StepBody,
)
from libra.api.schemas.shown import show_fields
from libra.model.rollout import Rollout
from libra.usecases import rollouts
from libra.usecases.rollouts import Begin, Whole
from libra.usecases.services import Services

router = APIRouter(prefix="/v1/rollouts", route_class=WrittenRoute, tags=["rollouts"])
READ, WRITE = [Depends(OBSERVERS)], [Depends(OPERATORS)]
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


def _write(options: RolloutOptions) -> str:
    return options.model_dump_json()


@router.get("", dependencies=READ)
def list_rollouts(request: Request, services: Given, caller: Asking) -> Json:
    """Those that ended, too; with how many nodes are in which phase."""
    page = page_of(request, Rollout, caller, strict=True)
    found = [] if page.nothing else rollouts.list_rollouts(services, page.query)
    rows = [whole.rollout for whole in found]
    links = build_links(str(request.url.replace(query="")), request.query_params, rows, page)
    return {"rollouts": [_show(services, whole) for whole in found], "rollouts_links": links}


@router.post("", status_code=201, dependencies=WRITE)
def begin_rollout(body: RolloutBody, services: Given, caller: Asking) -> Json:
    """Led by the caller, who has to be heard of before `lease_until`, again and again. One a group is open."""
    asked = Begin(
        group=body.group,
        nodes=body.nodes,
        total=len(body.nodes),
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
    whole = rollouts.renew_lease(services, caller, rollout_id, body.lease)
    return _show_one(services, whole)


@router.post("/{rollout_id}/steps", dependencies=WRITE)
def record_step(rollout_id: str, body: StepBody, services: Given, caller: Asking) -> Json:
    """A node enters a phase; stored before its leader acts on it."""
    whole = rollouts.record_step(
        services, caller, rollout_id, body.lease, body.node, body.phase, body.reason
    )
    return _show_one(services, whole)


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
def abort_rollout(rollout_id: str, services: Given, caller: Asking) -> Json:
    """For good: at once, or by its leader after the nodes in work. Nodes that are offline stay so."""
    return _show_one(services, rollouts.abort_rollout(services, caller, rollout_id))
