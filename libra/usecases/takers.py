"""The pools whose members are at nodes, so that none is left without a member that takes traffic."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from libra.errors import LastTaker
from libra.messages.fields import quoted
from libra.model.device import Device
from libra.model.draining import canonical_address, drained_by
from libra.model.nodesessions import read_members
from libra.model.nodestatus import Node, NodeStatus
from libra.model.resources.member import Member
from libra.model.status import OperatingStatus
from libra.model.takers import Shared, Target, plan_emptied
from libra.model.webcluster import WebClusterState
from libra.model.webcompile import proxied_pools
from libra.storage.base import UnitOfWork
from libra.storage.query import Query
from libra.usecases.nodedevices import devices_of
from libra.usecases.nodesessions import WITHIN
from libra.usecases.services import Services

_OFFLINE = Query(where={"status": NodeStatus.OFFLINE})
_SERVING = [state for state in WebClusterState if state is not WebClusterState.STOPPED]
_DOWN = OperatingStatus.ERROR
_MOST_NAMED = 3


def find_down(services: Services, names: Iterable[str]) -> frozenset[str]:
    """The ids of members that are down in the pools of these nodes. What the records say may be of a moment ago: where
    they name one, its devices are asked.
    """
    with services.storage.reading() as unit:
        nodes = unit.nodes.find(Query(where={"name": list(names)}))
        stored = [item for item in _members_beside(unit, nodes) if item.operating_status is _DOWN]
        devices = _devices(unit, nodes) if stored else []
    if not devices:
        return frozenset(item.id for item in stored)
    places = frozenset((item.address, item.protocol_port) for item in stored)
    replies = services.ask_statistics(devices, WITHIN)
    told = (
        member
        for device in devices
        for member in read_members(device.name, replies.get(device.id, {}), places)
    )
    up = {member.member_id for member in told if member.takes_traffic}
    return frozenset(item.id for item in stored) - up


def _devices(unit: UnitOfWork, nodes: Iterable[Node]) -> list[Device]:
    return unit.devices.find(Query(where={"id": sorted(devices_of(unit, nodes))}))


def find_emptied(unit: UnitOfWork, after: Mapping[str, Node], down: frozenset[str]) -> list[Shared]:
    """The pools that have takers, and will have none once nodes are as `after` has them, by their ids. `down` are
    members that take nothing.
    """
    away = unit.nodes.find(_OFFLINE)
    known = {node.id for node in away}
    going = [node for node in after.values() if not node.is_online and node.id not in known]
    if not any(node.address for node in going):
        return []
    now = {node.id: node for node in away} | dict(after)
    pools = [*_find_pools(unit, going, down), *_find_services(unit)]
    return list(plan_emptied(pools, drained_by(away), drained_by(now.values())))


def ensure_none(emptied: Sequence[Shared]) -> None:
    """Raises `LastTaker`."""
    if emptied:
        raise LastTaker(
            "cannot take that offline: no member that takes traffic would be left in "
            f"{', '.join(_tell(emptied))}; force does it all the same"
        )


def _tell(pools: Sequence[Shared]) -> Iterator[str]:
    yield from (pool.name for pool in pools[:_MOST_NAMED])
    if len(pools) > _MOST_NAMED:
        yield f"and {len(pools) - _MOST_NAMED} more"


def _members_beside(unit: UnitOfWork, nodes: Iterable[Node]) -> list[Member]:
    """All of each pool that has one at a node."""
    places = {canonical_address(node.address) for node in nodes if node.address}
    at = unit.members.find(Query(where={"address": sorted(places)})) if places else []
    keys = sorted({member.pool_id for member in at})
    found = unit.members.find(Query(where={"pool_id": keys})) if keys else []
    return [member for member in found if not member.going]


def _find_pools(unit: UnitOfWork, nodes: Iterable[Node], down: frozenset[str]) -> Iterator[Shared]:
    """Of load balancers, those that are switched on."""
    members = _members_beside(unit, nodes)
    keys = sorted({member.pool_id for member in members})
    for pool in unit.pools.find(Query(where={"id": keys})) if keys else []:
        if pool.admin_state_up:
            targets = tuple(_target(item, down) for item in members if item.pool_id == pool.id)
            yield Shared(key=pool.id, name=_name(pool.name, pool.id), targets=targets)


def _target(member: Member, down: frozenset[str]) -> Target:
    return Target(
        id=member.id,
        address=member.address,
        port=member.protocol_port,
        used=member.admin_state_up and member.weight > 0,
        down=member.id in down,
    )


def _name(name: str, key: str) -> str:
    return f"the pool {quoted(name)} ({key})" if name else f"the pool {key}"


def _find_services(unit: UnitOfWork) -> Iterator[Shared]:
    """Of web clusters that serve. Whether their members are up is not on record."""
    for cluster in unit.web_clusters.find(Query(where={"status": _SERVING})):
        stored = unit.web_services.find(Query(where={"webcluster_oid": cluster.oid}))
        for path, pool in proxied_pools(stored):
            targets = (
                Target(id=item.id, address=item.address, port=item.port, used=item.weight > 0)
                for item in pool.members
            )
            name = f"the web cluster {quoted(cluster.name)} below {quoted(path)}"
            yield Shared(key=pool.id, name=name, targets=tuple(targets))
