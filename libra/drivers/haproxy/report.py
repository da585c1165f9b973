"""From HAProxy's rows to the statistics that a device reports. Pure.

A load balancer's bytes and sessions are those of its clients (the frontends): a session is a client's connection. Its
errors are faulty requests (frontends) plus failed connections to members and faulty responses (backends). A member's
session is a connection (TCP) or a request (HTTP) that was sent to it; its errors are the last two. Refusals by a rule
are no errors.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from libra.drivers.haproxy.counters import NOTHING, Counters, RowName, Rows
from libra.drivers.haproxy.names import backend_name, frontend_name, server_name
from libra.drivers.haproxy.rows import BACKEND, FRONTEND, Row, Table
from libra.model.listener import Listener, Protocol
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.pool import Condition, Member, Pool
from libra.model.statistics import (
    ListenerStatistics,
    ListenerStatus,
    LoadBalancerStatistics,
    MemberStatistics,
    MemberStatus,
    OperatingStatus,
    PoolStatistics,
)

_OPEN = ("OPEN", "FULL")
_STATUS = {
    "UP": MemberStatus.UP,
    "DOWN": MemberStatus.DOWN,
    "DRAIN": MemberStatus.DRAIN,
    "NOLB": MemberStatus.DRAIN,  # its own checks ask for no more new clients (404)
    "MAINT": MemberStatus.MAINT,
    "no": MemberStatus.NO_CHECK,
}
_UNRESOLVED = "MAINT (resolution)"
_TAKES_TRAFFIC = (MemberStatus.UP, MemberStatus.NO_CHECK)
_ABSENT = Row(status="DOWN")


@dataclass(frozen=True, slots=True)
class Observed:
    """What the serving process says, and sums over all processes.

    `stopping` is set where that process only finishes its connections, so that its frontends are shut anyway.
    """

    table: Table
    sessions: Mapping[RowName, int]
    totals: Rows
    stopping: bool = False


def row_names(desired: Desired) -> Iterator[RowName]:
    """Every row that the desired load balancers have."""
    for loadbalancer in desired.loadbalancers:
        for listener in loadbalancer.listeners:
            yield frontend_name(listener.id), FRONTEND
        for pool in loadbalancer.pools:
            backend = backend_name(pool.id)
            yield backend, BACKEND
            yield from ((backend, server_name(member.id)) for member in pool.members)


def build_report(desired: Desired, observed: Observed) -> tuple[LoadBalancerStatistics, ...]:
    """One entry a desired load balancer, in its order."""
    return tuple(
        _loadbalancer(item, observed, suspended=desired.suspended) for item in desired.loadbalancers
    )


def member_status(row: Row) -> MemberStatus:
    """What the words of a server's row mean, such as "UP 1/3", "MAINT (via be/s)" or "no check".

    Weight 0 is draining, whoever set it: nothing new comes. A server whose name does not resolve is not in
    maintenance but down. A word that nobody knows counts as down, too.
    """
    if row.status == _UNRESOLVED:
        return MemberStatus.DOWN
    status = _STATUS.get(row.status.partition(" ")[0], MemberStatus.DOWN)
    return MemberStatus.DRAIN if status in _TAKES_TRAFFIC and row.weight == 0 else status


def _loadbalancer(
    loadbalancer: LoadBalancer, observed: Observed, *, suspended: bool
) -> LoadBalancerStatistics:
    listeners = tuple(_listener(item, observed) for item in loadbalancer.listeners)
    pools = tuple(_pool(item, observed) for item in loadbalancer.pools)
    backs = [(backend_name(pool.id), BACKEND) for pool in loadbalancer.pools]
    servers = _sum(observed.totals, backs)
    protocols = [listener.protocol.value for listener in loadbalancer.listeners]
    is_off = suspended or not loadbalancer.enabled
    return LoadBalancerStatistics(
        id=loadbalancer.id,
        name=loadbalancer.name,
        protocol=protocols[0] if protocols else "",
        status=OperatingStatus.SUSPENDED if is_off else _status(loadbalancer, pools, observed),
        bytes_in=sum(item.bytes_in for item in listeners),
        bytes_out=sum(item.bytes_out for item in listeners),
        current_sessions=sum(item.current_sessions for item in listeners),
        total_sessions=sum(item.total_sessions for item in listeners),
        errors=sum(item.errors for item in listeners) + servers.errors,
        members=tuple(member for pool in pools for member in pool.members),
        listeners=listeners,
        pools=pools,
    )


def _listener(listener: Listener, observed: Observed) -> ListenerStatistics:
    name = (frontend_name(listener.id), FRONTEND)
    counters = observed.totals.get(name, NOTHING)
    return ListenerStatistics(
        id=listener.id,
        status=_listener_status(listener, observed),
        bytes_in=counters.bytes_in,
        bytes_out=counters.bytes_out,
        current_sessions=observed.sessions.get(name, 0),
        total_sessions=counters.sessions,
        errors=counters.errors,
        total_requests=_count_requests(listener, counters),
    )


def _count_requests(listener: Listener, counters: Counters) -> int:
    return counters.requests if listener.protocol is Protocol.HTTP else counters.sessions


def _listener_status(listener: Listener, observed: Observed) -> ListenerStatus:
    """A process that only finishes its connections has closed its listeners: then the next one has them."""
    row = observed.table.get((frontend_name(listener.id), FRONTEND))
    if row is not None and row.status == ListenerStatus.FULL.value:
        return ListenerStatus.FULL
    is_open = observed.stopping or (row is not None and row.status in _OPEN)
    return ListenerStatus.OPEN if is_open else ListenerStatus.STOPPED


def _pool(pool: Pool, observed: Observed) -> PoolStatistics:
    backend = backend_name(pool.id)
    members = tuple(
        _member(member, (backend, server_name(member.id)), observed) for member in pool.members
    )
    row = observed.table.get((backend, BACKEND), _ABSENT)
    status = MemberStatus.UP if row.status.startswith("UP") else MemberStatus.DOWN
    return PoolStatistics(
        id=pool.id,
        status=status if pool.monitor else MemberStatus.NO_CHECK,
        members=members,
    )


def _sum(totals: Rows, names: Iterable[RowName]) -> Counters:
    return reduce(Counters.plus, (totals.get(name, NOTHING) for name in names), NOTHING)


def _member(member: Member, name: RowName, observed: Observed) -> MemberStatistics:
    row = observed.table.get(name, _ABSENT)
    counters = observed.totals.get(name, NOTHING)
    return MemberStatistics(
        id=member.id,
        address=member.address,
        port=member.port,
        status=member_status(row),
        last_check=row.check,
        current_sessions=observed.sessions.get(name, 0),
        total_sessions=counters.sessions,
        bytes_in=counters.bytes_in,
        bytes_out=counters.bytes_out,
        errors=counters.errors,
    )


def _status(
    loadbalancer: LoadBalancer, pools: Sequence[PoolStatistics], observed: Observed
) -> OperatingStatus:
    """Listeners that are off on purpose, or send nowhere, say nothing about it; nor is their silence an error."""
    able = {pool.id: any(m.status in _TAKES_TRAFFIC for m in pool.members) for pool in pools}
    serving = [
        _listener_status(listener, observed) is not ListenerStatus.STOPPED
        and able[listener.pool.id]
        for listener in loadbalancer.listeners
        if listener.enabled and listener.pool is not None
    ]
    if serving and not any(serving):
        return OperatingStatus.ERROR
    faults = any(map(_has_fault, loadbalancer.pools, pools))
    return OperatingStatus.ONLINE if all(serving) and not faults else OperatingStatus.DEGRADED


def _has_fault(pool: Pool, statistics: PoolStatistics) -> bool:
    """True where a member is down that nobody has taken out on purpose."""
    return any(
        item.status is MemberStatus.DOWN and member.condition is Condition.ENABLED
        for member, item in zip(pool.members, statistics.members, strict=True)
    )
