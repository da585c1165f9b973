"""Rollouts: begun, led, recorded step by step, ended. What they do to nodes is the leading client's work."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from libra.errors import AlreadyExists, Conflict, Invalid, NotFound
from libra.messages.fields import quoted
from libra.model.access import Caller
from libra.model.nodestatus import least_online
from libra.model.rollout import (
    ENDED,
    LEASE_SECONDS,
    OPEN,
    Phase,
    Rollout,
    RolloutState,
    RolloutStep,
    Wish,
    count_minimum,
    enter,
    step_key,
)
from libra.storage.base import UnitOfWork
from libra.storage.query import EVERYTHING, Query
from libra.usecases.nodegroups import get_group
from libra.usecases.outbox import add_event
from libra.usecases.services import Services, new_id

LEASE = timedelta(seconds=LEASE_SECONDS)
PRUNE_MOST = 100  # at once: each may have thousands of nodes
_ENDS = {
    RolloutState.COMPLETE: "rollout.complete",
    RolloutState.STOPPED: "rollout.stopped",
    RolloutState.ABORTED: "rollout.aborted",
}


@dataclass(frozen=True, slots=True)
class Whole:
    """A rollout with its nodes, in their order."""

    rollout: Rollout
    steps: tuple[RolloutStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """What is asked for. `nodes` in the order in which they are to be taken, none for all by name; `options` JSON."""

    group: str
    nodes: Sequence[str] = ()
    min_online: str
    options: str
    holder: str


def begin_rollout(services: Services, caller: Caller, asked: Begin) -> Whole:
    """Led by who began it. Raises `Conflict` where the group has one that is open, `NotFound`, `Invalid`."""
    with services.storage.writing() as unit:
        unit.hold(_lock(asked.group))
        for other in unit.rollouts.find(Query(where={"group": asked.group, "state": OPEN})):
            raise AlreadyExists(_tell_open(services, other))
        whole = _build(services, caller, asked, _choose(unit, asked))
        unit.rollouts.add(whole.rollout)
        unit.rollout_steps.add_all(whole.steps)
        reason = f"'{asked.group}', {len(whole.steps)} nodes, led by {asked.holder}"
        add_event(unit, services, caller, "rollout.begun", whole.rollout.id, reason=reason)
    return whole


def _choose(unit: UnitOfWork, asked: Begin) -> Sequence[str]:
    """The nodes; raises `NotFound`, and `Invalid` where none could ever be taken out."""
    group = get_group(unit, asked.group)
    there = sorted(node.name for node in unit.nodes.find(Query(where={"group_id": group.id})))
    if not there:
        raise Invalid(f"cannot roll out: the group {quoted(asked.group)} has no nodes")
    if missing := sorted(set(asked.nodes) - set(there)):
        raise NotFound(
            f"cannot find the node {quoted(missing[0])} in the group {quoted(group.name)}"
        )
    if len(set(asked.nodes)) < len(asked.nodes):
        raise Invalid("cannot roll out: a node is named twice")
    total = len(there)
    minimum = max(count_minimum(asked.min_online, total), least_online(group, total))
    if minimum >= total:
        raise Invalid(
            f"cannot roll out: {minimum} of {total} nodes must stay online, which leaves none to take out"
        )
    return asked.nodes or there


def _build(services: Services, caller: Caller, asked: Begin, nodes: Sequence[str]) -> Whole:
    now = services.clock()
    rollout = Rollout(
        id=new_id(),
        group=asked.group,
        author=caller.name,
        options=asked.options,
        holder=asked.holder,
        lease_until=now + LEASE,
        created_at=now,
        updated_at=now,
    )
    steps = tuple(
        RolloutStep(
            id=step_key(rollout.id, position),
            rollout_id=rollout.id,
            position=position,
            node=name,
            since=now,
        )
        for position, name in enumerate(nodes)
    )
    return Whole(rollout, steps)


def _lock(group: str) -> str:
    return f"rollout {group}"


def _tell_open(services: Services, other: Rollout) -> str:
    start = f"cannot begin a rollout of '{other.group}': there is one already, {other.id}"
    if other.is_led(services.clock()):
        return f"{start}, led by {other.holder}"
    why = other.reason or f"its leader {other.holder} has not been heard of"
    return (
        f"{start}, which is stopped ({why}); 'libra rollout resume {other.group}' goes on with it, "
        f"'libra rollout abort {other.group}' ends it"
    )


# Looked at.


def list_rollouts(services: Services, query: Query = EVERYTHING) -> list[Whole]:
    """A page, each with its nodes."""
    with services.storage.reading() as unit:
        found = unit.rollouts.find(query)
        steps = _steps_of(unit, [item.id for item in found])
    return [Whole(item, steps[item.id]) for item in found]


def find_rollout(services: Services, key: str) -> Whole:
    """By id, or the newest of the group with that name. Raises `NotFound`."""
    with services.storage.reading() as unit:
        rollout = _find(unit, key)
        return Whole(rollout, _steps_of(unit, [rollout.id])[rollout.id])


def _find(unit: UnitOfWork, key: str) -> Rollout:
    rollout = unit.rollouts.get(key)
    if rollout is not None:
        return rollout
    newest = Query(where={"group": key}, sort=(("created_at", False),), limit=1)
    for found in unit.rollouts.find(newest):
        return found
    raise NotFound(f"Rollout {key} not found.")


def _steps_of(unit: UnitOfWork, keys: Collection[str]) -> dict[str, tuple[RolloutStep, ...]]:
    by_rollout = defaultdict(list)
    query = Query(where={"rollout_id": list(keys)}, sort=(("position", True),))
    for step in unit.rollout_steps.find(query):
        by_rollout[step.rollout_id].append(step)
    return {key: tuple(by_rollout[key]) for key in keys}


# By who leads it.


def renew_lease(services: Services, key: str, lease: int) -> Whole:
    """Who leads it is alive. Raises `Conflict` where another does by now, or it has ended."""
    with services.storage.writing() as unit:
        return _whole(unit, _renew(unit, services, _led(unit, key, lease)))


def record_step(
    services: Services, caller: Caller, key: str, lease: int, node: str, phase: Phase, reason: str
) -> Whole:
    """The node enters that phase: stored before it is acted on. Raises `Conflict`, `NotFound`."""
    with services.storage.writing() as unit:
        rollout = _led(unit, key, lease)
        step = _step(unit, rollout, node)
        if step.phase is phase:  # asked again, by one that did not hear the answer
            return _whole(unit, _renew(unit, services, rollout))
        unit.rollout_steps.replace(enter(step, phase, reason, services.clock()))
        words = f"{node}: {reason}" if reason else node
        add_event(unit, services, caller, f"rollout.{phase.value}", rollout.id, reason=words)
        return _whole(unit, _renew(unit, services, rollout))


def end_rollout(
    services: Services, caller: Caller, key: str, lease: int, state: RolloutState, reason: str
) -> Whole:
    """Nobody leads it any more. Raises `Conflict`, also for a COMPLETE one with nodes that are not done."""
    with services.storage.writing() as unit:
        known = unit.rollouts.get(key)
        if known is not None and (known.state, known.lease) == (state, lease):
            return _whole(unit, known)  # asked again, by one that did not hear the answer
        rollout = _led(unit, key, lease)
        steps = _steps_of(unit, [rollout.id])[rollout.id]
        if state is RolloutState.COMPLETE and not all(step.phase in ENDED for step in steps):
            raise Conflict("cannot end the rollout as complete: not every node is done")
        ended = _ended(services, rollout, state, reason)
        unit.rollouts.replace(ended)
        add_event(unit, services, caller, _ENDS[state], rollout.id, reason=_about(ended))
        return Whole(ended, steps)


def _ended(services: Services, rollout: Rollout, state: RolloutState, reason: str) -> Rollout:
    now = services.clock()
    over = None if state.is_open else now
    return replace(
        rollout,
        state=state,
        reason=reason,
        wish=Wish.NONE,
        lease_until=now,
        updated_at=now,
        ended_at=over,
    )


def _about(rollout: Rollout) -> str:
    return f"'{rollout.group}': {rollout.reason}" if rollout.reason else f"'{rollout.group}'"


def find_led(services: Services, key: str, lease: int) -> Whole:
    """Raises `Conflict` where another leads it, or nobody."""
    with services.storage.writing() as unit:
        return _whole(unit, _led(unit, key, lease))


def _led(unit: UnitOfWork, key: str, lease: int) -> Rollout:
    """By the caller; nobody else changes it meanwhile."""
    found = unit.rollouts.get(key)
    if found is None:
        raise NotFound(f"Rollout {key} not found.")
    unit.hold(_lock(found.group))
    rollout = unit.rollouts.get(key) or found
    if rollout.state is not RolloutState.RUNNING:
        raise Conflict(f"cannot go on with the rollout {key}: it is {rollout.state.value}")
    if rollout.lease != lease:
        raise Conflict(f"cannot go on with the rollout {key}: {rollout.holder} leads it by now")
    return rollout


def _renew(unit: UnitOfWork, services: Services, rollout: Rollout) -> Rollout:
    now = services.clock()
    renewed = replace(rollout, lease_until=now + LEASE, updated_at=now)
    unit.rollouts.replace(renewed)
    return renewed


def _step(unit: UnitOfWork, rollout: Rollout, node: str) -> RolloutStep:
    for step in unit.rollout_steps.find(Query(where={"rollout_id": rollout.id, "node": node})):
        return step
    raise NotFound(f"Node {node} not found in the rollout {rollout.id}.")


def _whole(unit: UnitOfWork, rollout: Rollout) -> Whole:
    return Whole(rollout, _steps_of(unit, [rollout.id])[rollout.id])


# By anybody.


def resume_rollout(
    services: Services, caller: Caller, key: str, holder: str, options: str | None = None
) -> Whole:
    """Led by another now; nodes that failed are tried again. Raises `Conflict` while somebody leads it."""
    with services.storage.writing() as unit:
        rollout = _open(unit, key)
        now = services.clock()
        if rollout.is_led(now):
            left = (rollout.lease_until - now).total_seconds()
            raise Conflict(
                f"cannot resume the rollout {rollout.id}: {rollout.holder} leads it; "
                f"if it is dead, anybody may in {left:.0f} s"
            )
        for step in _steps_of(unit, [rollout.id])[rollout.id]:
            if step.phase is Phase.FAILED:
                unit.rollout_steps.replace(enter(step, Phase.PENDING, "", now))
        taken = replace(
            rollout,
            state=RolloutState.RUNNING,
            reason="",
            wish=Wish.NONE,
            holder=holder,
            lease=rollout.lease + 1,
            options=options or rollout.options,
        )
        whole = _whole(unit, _renew(unit, services, taken))
        reason = f"'{rollout.group}', led by {holder}"
        add_event(unit, services, caller, "rollout.resumed", rollout.id, reason=reason)
    return whole


def _open(unit: UnitOfWork, key: str) -> Rollout:
    found = _find(unit, key)
    unit.hold(_lock(found.group))
    rollout = unit.rollouts.get(found.id) or found
    if not rollout.state.is_open:
        raise Conflict(f"cannot change the rollout {rollout.id}: it is {rollout.state.value}")
    return rollout


def ask_to_stop(services: Services, caller: Caller, key: str) -> Whole:
    """Its leader finishes the nodes in work, and takes no other. Raises `Conflict` where nobody leads it."""
    with services.storage.writing() as unit:
        rollout = _open(unit, key)
        if not rollout.is_led(services.clock()):
            raise Conflict(f"cannot stop the rollout {rollout.id}: nobody leads it")
        return _wish(unit, services, caller, rollout, Wish.STOP)


def abort_rollout(services: Services, caller: Caller, key: str) -> Whole:
    """At once where nobody leads it; else its leader does, after the nodes in work."""
    with services.storage.writing() as unit:
        rollout = _open(unit, key)
        if rollout.is_led(services.clock()):
            return _wish(unit, services, caller, rollout, Wish.ABORT)
        reason = f"by {caller.name}" + (f", after {rollout.reason}" if rollout.reason else "")
        ended = _ended(services, rollout, RolloutState.ABORTED, reason)
        unit.rollouts.replace(ended)
        add_event(unit, services, caller, "rollout.aborted", rollout.id, reason=_about(ended))
        return _whole(unit, ended)


def _wish(
    unit: UnitOfWork, services: Services, caller: Caller, rollout: Rollout, wish: Wish
) -> Whole:
    wished = replace(rollout, wish=wish, updated_at=services.clock())
    unit.rollouts.replace(wished)
    kind = f"rollout.{wish.value}_wanted"
    add_event(unit, services, caller, kind, rollout.id, reason=f"'{rollout.group}'")
    return _whole(unit, wished)


def prune_rollouts(unit: UnitOfWork, before: datetime) -> int:
    """Forget the oldest of those that ended before, with their nodes; how many. One that can go on is kept."""
    closed = [state for state in RolloutState if not state.is_open]
    query = Query(where={"state": closed}, sort=(("created_at", True),), limit=PRUNE_MOST)
    gone = [item for item in unit.rollouts.find(query) if item.ended_at and item.ended_at < before]
    for item in gone:
        unit.rollouts.remove(item.id)
    return len(gone)
