"""From HAProxy's rows to the statistics that a device reports. Pure.

A load balancer's bytes and sessions are those of its clients (the frontends): a session is a client's connection. Its
errors are faulty requests (frontends) plus failed connections to members and faulty responses (backends). A member's
session is a connection (TCP) or a request (HTTP) that was sent to it; its errors are the last two. Refusals by a rule
are no errors.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce

from libra.drivers.haproxy.counters import NOTHING, Counters, RowName, Rows
from libra.drivers.haproxy.names import backend_name, frontend_name, server_name
from libra.drivers.haproxy.rows import BACKEND, FRONTEND, Row, Table
from libra.model.listener import Listener
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.pool import Condition, Member
from libra.model.statistics import (
    LoadBalancerStatistics,
    MemberStatistics,
    MemberStatus,
    OperatingStatus,
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
            backend = backend_name(listener.pool.id)
            yield frontend_name(listener.id), FRONTEND
            yield backend, BACKEND
            yield from ((backend, server_name(member.id)) for member in listener.pool.members)


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
    listeners = loadbalancer.listeners
    members = [_members(listener, observed) for listener in listeners]
    fronts = [(frontend_name(listener.id), FRONTEND) for listener in listeners]
    backs = [(backend_name(listener.pool.id), BACKEND) for listener in listeners]
    clients, servers = _sum(observed.totals, fronts), _sum(observed.totals, backs)
    status = OperatingStatus.SUSPENDED if suspended else _status(listeners, members, observed)
    return LoadBalancerStatistics(
        id=loadbalancer.id,
        name=loadbalancer.name,
        protocol=listeners[0].protocol.value,
        status=status,
        bytes_in=clients.bytes_in,
        bytes_out=clients.bytes_out,
        current_sessions=sum(observed.sessions.get(name, 0) for name in fronts),
        total_sessions=clients.sessions,
        errors=clients.errors + servers.errors,
        members=tuple(member for pool in members for member in pool),
    )


def _sum(totals: Rows, names: Iterable[RowName]) -> Counters:
    return reduce(Counters.plus, (totals.get(name, NOTHING) for name in names), NOTHING)


def _members(listener: Listener, observed: Observed) -> list[MemberStatistics]:
    backend = backend_name(listener.pool.id)
    return [
        _member(member, (backend, server_name(member.id)), observed)
        for member in listener.pool.members
    ]


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
    listeners: tuple[Listener, ...], members: list[list[MemberStatistics]], observed: Observed
) -> OperatingStatus:
    serving = [
        _is_open(listener, observed) and any(item.status in _TAKES_TRAFFIC for item in pool)
        for listener, pool in zip(listeners, members, strict=True)
    ]
    if not any(serving):
        return OperatingStatus.ERROR
    faults = any(map(_has_fault, listeners, members))
    return OperatingStatus.ONLINE if all(serving) and not faults else OperatingStatus.DEGRADED


def _is_open(listener: Listener, observed: Observed) -> bool:
    row = observed.table.get((frontend_name(listener.id), FRONTEND))
    return observed.stopping or (row is not None and row.status in _OPEN)


def _has_fault(listener: Listener, members: list[MemberStatistics]) -> bool:
    """True where a member is down that nobody has taken out on purpose."""
    return any(
        item.status is MemberStatus.DOWN and member.condition is Condition.ENABLED
        for member, item in zip(listener.pool.members, members, strict=True)
    )
