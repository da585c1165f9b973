"""The operators' marks: nodes taken out of service and brought back, all or nothing a call."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from libra.errors import Conflict, NotFound
from libra.messages.fields import quoted
from libra.model.access import Caller
from libra.model.nodestatus import (
    Board,
    Mark,
    Node,
    NodeStatus,
    ensure_enough,
    has_expired,
    marked,
)
from libra.storage.base import UnitOfWork
from libra.storage.query import Query
from libra.usecases.nodedevices import hold_told, tell_devices, told_of
from libra.usecases.nodegroups import get_group
from libra.usecases.nodes import NODES, get_nodes
from libra.usecases.outbox import add_event
from libra.usecases.services import Services
from libra.usecases.takers import ensure_none, find_down, find_emptied

EXPIRED = Mark(status=NodeStatus.ONLINE, reason="its mark has expired")


@dataclass(frozen=True, slots=True)
class Marked:
    """One node, before and after."""

    before: Node
    after: Node


def set_status(
    services: Services,
    caller: Caller,
    marks: Mapping[str, Mark],
    *,
    group: str | None = None,
    force: bool = False,
    least: int = 0,
    keep_pools: bool = False,
) -> list[Marked]:
    """Mark nodes by their names, in the order given; their members drain, or serve again, at once.

    `least` is how many must stay online where that is more than the group says. With `keep_pools` no pool of several
    members may be left without one that takes traffic.

    Raises `NotFound` for a node that is not there, or not in `group`; `Conflict` where a group would have too few left,
    and `LastTaker`, both not with `force`. Then nothing is changed.
    """
    devices = services.storage.look(lambda unit: _devices(unit, marks))
    down = find_down(services, _going(marks)) if keep_pools else frozenset()
    with services.storage.writing() as unit:
        hold_told(unit, devices)
        unit.hold(NODES)
        found = get_nodes(unit, marks)
        _ensure_in_group(unit, found.values(), group)
        done = [_mark(services, caller, found[name], mark) for name, mark in marks.items()]
        if not force:
            _ensure_enough(unit, done, least)
        emptied = find_emptied(unit, {item.before.id: item.after for item in done}, down)
        if keep_pools and not force:
            ensure_none(emptied)
        for pool in emptied:
            reason = f"no member takes traffic any more in {pool.name}"
            add_event(unit, services, caller, "pool.emptied", pool.key, reason=reason)
        _write(unit, services, caller, done, devices)
    services.bell.ring()
    return done


def expire_marks(services: Services, caller: Caller, nodes: Iterable[Node]) -> list[Marked]:
    """Bring those online whose marks are over by now."""
    devices = services.storage.look(lambda unit: told_of(unit, nodes))
    with services.storage.writing() as unit:
        hold_told(unit, devices)
        unit.hold(NODES)
        now = services.clock()
        current = [unit.nodes.get(node.id) for node in nodes]
        over = [node for node in current if node is not None and has_expired(node, now)]
        done = [_mark(services, caller, node, EXPIRED) for node in over]
        _write(unit, services, caller, done, devices)
    services.bell.ring()
    return done


def load_board(services: Services) -> Board:
    """Every node's group and status."""
    return services.storage.look(lambda unit: unit.nodes.board())


def _devices(unit: UnitOfWork, names: Iterable[str]) -> set[str]:
    """A name that is not there is refused later, under the lock."""
    return told_of(unit, unit.nodes.find(Query(where={"name": list(names)})))


def _going(marks: Mapping[str, Mark]) -> list[str]:
    return [name for name, mark in marks.items() if mark.status is NodeStatus.OFFLINE]


def _ensure_in_group(unit: UnitOfWork, nodes: Iterable[Node], group: str | None) -> None:
    if group is None:
        return
    key = get_group(unit, group).id
    for node in nodes:
        if node.group_id != key:
            raise NotFound(f"cannot find the node {quoted(node.name)} in the group {quoted(group)}")


def _mark(services: Services, caller: Caller, node: Node, mark: Mark) -> Marked:
    return Marked(node, marked(node, mark, caller.name, services.clock()))


def _ensure_enough(unit: UnitOfWork, done: Iterable[Marked], least: int) -> None:
    """In every group that is touched. Raises `Conflict`."""
    after = {item.after.id: item.after for item in done}
    for key in sorted({item.after.group_id for item in done}):
        group = unit.node_groups.get(key)
        if group is None:
            raise Conflict(f"cannot mark nodes of the group {key}: it is gone")
        before = unit.nodes.find(Query(where={"group_id": key}))
        ensure_enough(group, before, [after.get(node.id, node) for node in before], least)


def _write(
    unit: UnitOfWork,
    services: Services,
    caller: Caller,
    done: Iterable[Marked],
    devices: Iterable[str],
) -> None:
    """An event a node; devices are told only where somebody's status changed."""
    changed = [item for item in done if item.before != item.after]
    for item in changed:
        unit.nodes.replace(item.after)
        flipped = item.before.status is not item.after.status
        kind = f"node.{item.after.status.value}" if flipped else "node.changed"
        said = f"'{item.after.name}'" + (f": {item.after.reason}" if item.after.reason else "")
        add_event(unit, services, caller, kind, item.after.id, reason=said)
    if any(item.before.status is not item.after.status for item in changed):
        tell_devices(unit, services, caller, sorted(devices))
