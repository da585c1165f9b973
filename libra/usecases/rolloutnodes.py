"""What rollouts see of the nodes of a group, and how they mark them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from libra.errors import Conflict, NotFound
from libra.model.access import Caller
from libra.model.device import Device
from libra.model.draining import canonical_address
from libra.model.nodesessions import NodeSessions, read_members
from libra.model.nodestatus import Mark, Node, NodeGroup, NodeStatus, least_online
from libra.model.rollout import FailurePolicy, Phase, Rollout, RolloutStep, count_minimum
from libra.storage.base import UnitOfWork
from libra.storage.query import Query
from libra.usecases.nodedevices import devices_of
from libra.usecases.nodegroups import get_group
from libra.usecases.nodes import find_node
from libra.usecases.nodesessions import WITHIN
from libra.usecases.nodestatus import set_status
from libra.usecases.rollouts import Whole, abort_rollout, find_led, find_rollout
from libra.usecases.services import Services

Json = Mapping[str, Any]
MARKS = {
    Phase.DRAINING: NodeStatus.OFFLINE,
    Phase.WITHDRAWING: NodeStatus.OFFLINE,
    Phase.RETURNING: NodeStatus.ONLINE,
    Phase.RESTORING: NodeStatus.ONLINE,
}
"""What a node in that phase is marked."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A node, and what the fleet says of it. `unused` of its members are closed because their owners want that."""

    node: Node
    sessions: NodeSessions
    unused: int = 0


@dataclass(frozen=True, slots=True)
class GroupLook:
    """A group's nodes by name. `least` is how many of them must stay online whoever asks."""

    group: NodeGroup
    nodes: tuple[Looked, ...]
    least: int


def look_at_group(services: Services, name: str, within: timedelta = WITHIN) -> GroupLook:
    """Asks every device once, whatever the number of nodes. Raises `NotFound`."""
    with services.storage.reading() as unit:
        group = get_group(unit, name)
        nodes = unit.nodes.find(Query(where={"group_id": group.id}, sort=(("name", True),)))
        keys = {node.id: devices_of(unit, [node]) for node in nodes}
        wanted = sorted(set().union(*keys.values()))
        devices = {item.id: item for item in unit.devices.find(Query(where={"id": wanted}))}
    at = services.clock()
    replies = services.ask_statistics(list(devices.values()), within) if devices else {}
    told = [
        _read(node, {key: devices[key] for key in keys[node.id] & devices.keys()}, replies, at)
        for node in nodes
    ]
    unused = _find_unused(services, told)
    looked = (
        Looked(node, found, sum(item.member_id in unused for item in found.members))
        for node, found in zip(nodes, told, strict=True)
    )
    return GroupLook(group, tuple(looked), least_online(group, len(nodes)))


def _read(
    node: Node, devices: Mapping[str, Device], replies: Mapping[str, Json], at: datetime
) -> NodeSessions:
    places = frozenset({(canonical_address(node.address), node.port)})
    members = (
        member
        for key in sorted(devices.keys() & replies.keys())
        for member in read_members(devices[key].name, replies[key], places)
    )
    silent = sorted(device.name for key, device in devices.items() if key not in replies)
    return NodeSessions(at=at, members=tuple(members), silent=tuple(silent))


def _find_unused(services: Services, told: Iterable[NodeSessions]) -> set[str]:
    """The ids of members that take nothing because they are switched off, or have no weight: no node brings them back.

    Only of those that are closed is it asked.
    """
    closed = {item.member_id for node in told for item in node.members if not item.takes_traffic}
    if not closed:
        return set()
    found = services.storage.look(
        lambda unit: unit.members.find(Query(where={"id": sorted(closed)}))
    )
    return {item.id for item in found if not item.admin_state_up or not item.weight}


def mark_node(services: Services, caller: Caller, key: str, lease: int, name: str) -> Whole:
    """As its phase in the rollout says. Raises `Conflict` where that would leave too few online, or for the lease, and
    `LastTaker` where it has to wait for other members of a pool.
    """
    whole = find_led(services, key, lease)
    step = next((step for step in whole.steps if step.node == name), None)
    if step is None:
        raise NotFound(f"Node {name} not found in the rollout {key}.")
    status = MARKS.get(step.phase)
    if status is None:
        raise Conflict(f"cannot mark the node '{name}': it is {step.phase.value}")
    group = whole.rollout.group
    if _is_anothers(services, whole.rollout, step):
        return whole
    least = 0
    if step.phase is Phase.DRAINING:
        with services.storage.reading() as unit:
            every = unit.nodes.count({"group_id": get_group(unit, group).id})
        least = count_minimum(json.loads(whole.rollout.options)["min_online"], every)
    mark = Mark(
        status=status, reason=tell_mark(whole.rollout) if status is NodeStatus.OFFLINE else ""
    )
    # One that failed to come back serves nobody: to withdraw it costs nothing.
    force = step.phase is Phase.WITHDRAWING
    set_status(
        services,
        caller,
        {name: mark},
        group=group,
        force=force,
        least=least,
        keep_pools=step.phase is Phase.DRAINING,
    )
    return whole


def _is_anothers(services: Services, rollout: Rollout, step: RolloutStep) -> bool:
    """Whether somebody else has marked it offline meanwhile, and it is to be offline. Raises `Conflict` where it is to
    be online, or was online when its turn came: who did that does not want it back.
    """
    node = find_node(services, step.node)
    if node.is_online or node.reason == tell_mark(rollout):
        return False
    if step.phase is Phase.WITHDRAWING:
        return True
    if step.phase is Phase.DRAINING and node.since <= step.since:
        return False  # it was taken by this rollout once, and is tried again
    why = f": {node.reason}" if node.reason else ""
    raise Conflict(f"cannot go on with the node '{node.name}': somebody has marked it offline{why}")


def tell_mark(rollout: Rollout) -> str:
    """What stands beside the mark of a node that a rollout has taken out."""
    return f"rollout {rollout.id}"


def abort_with_nodes(services: Services, caller: Caller, key: str, restore: bool | None) -> Whole:
    """Nodes that it has left offline are marked online where that is asked for, or is the rollout's own policy.

    Where somebody leads it, that is its leader's to do, by the policy.
    """
    whole = find_rollout(services, key)
    aborted = abort_rollout(services, caller, key)
    if aborted.rollout.state.is_open:
        return aborted
    wanted = restores(whole.rollout) if restore is None else restore
    if wanted:
        with services.storage.reading() as unit:
            left = _left_offline(unit, aborted)
        if left:
            marks = {name: Mark(status=NodeStatus.ONLINE) for name in left}
            set_status(services, caller, marks)
    return find_rollout(services, aborted.rollout.id)


def restores(rollout: Rollout) -> bool:
    """Whether its own policy brings back nodes that it has left offline."""
    policy: str = json.loads(rollout.options)["on_failure"]
    return policy == FailurePolicy.RESTORE.value


def _left_offline(unit: UnitOfWork, whole: Whole) -> list[str]:
    """By this rollout, and by nobody else since."""
    names = [step.node for step in whole.steps if step.taken]
    wanted = {"name": names, "status": NodeStatus.OFFLINE, "reason": tell_mark(whole.rollout)}
    return [node.name for node in unit.nodes.find(Query(where=wanted))]
