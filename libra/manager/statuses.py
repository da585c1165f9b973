"""Operating statuses and counters, from what a device reports. Pure.

Contract: Octavia's mapping. Only what was measured counts: what is switched off, drained on purpose or not reported
is no error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from libra.model.counters import ListenerCounters
from libra.model.resources.l7policy import L7Policy, L7Rule
from libra.model.resources.listener import Listener
from libra.model.resources.member import Member
from libra.model.resources.monitor import HealthMonitor
from libra.model.resources.resource import Resource
from libra.model.resources.tree import LoadBalancerTree, PoolTree
from libra.model.status import OperatingStatus

UNMEASURED = (HealthMonitor, L7Policy, L7Rule)
Report = Mapping[str, Any]
_LISTENER = {
    "OPEN": OperatingStatus.ONLINE,
    "FULL": OperatingStatus.DEGRADED,
    "STOPPED": OperatingStatus.ERROR,
}
_MEMBER = {
    "UP": OperatingStatus.ONLINE,
    "DOWN": OperatingStatus.ERROR,
    "DRAIN": OperatingStatus.DRAINING,
    "MAINT": OperatingStatus.OFFLINE,
    "no check": OperatingStatus.NO_MONITOR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The records whose status changed, and the counters that grew."""

    changed: tuple[Resource, ...] = ()
    counters: tuple[ListenerCounters, ...] = ()


def measure(tree: LoadBalancerTree, entry: Report) -> Measured:
    """`entry` is the load balancer's in the reply to STATS."""
    reports = _by_id(entry.get("listeners"))
    listeners = {item.id: _listener(item, reports.get(item.id)) for item in tree.listeners}
    pool_reports = _by_id(entry.get("pools"))
    members, pools = {}, {}
    for pool in tree.pools:
        report = pool_reports.get(pool.pool.id)
        found = _members(pool, report)
        members.update(found)
        pools[pool.pool.id] = _pool(pool, report, found)
    statuses: dict[str, OperatingStatus] = {**listeners, **pools, **members}
    statuses[tree.loadbalancer.id] = _loadbalancer(tree, listeners, pools)
    statuses |= {
        record.id: status_of_unmeasured(record)
        for record in records(tree)
        if isinstance(record, UNMEASURED)
    }
    return Measured(
        changed=tuple(
            replace(record, operating_status=statuses[record.id])
            for record in records(tree)
            if statuses[record.id] is not record.operating_status
        ),
        counters=tuple(
            _counters(item, reports[item.id]) for item in tree.listeners if item.id in reports
        ),
    )


def status_of_unmeasured(record: Resource) -> OperatingStatus:
    """Nobody measures it: it is ONLINE as soon as its device has it, as in Octavia."""
    return OperatingStatus.ONLINE if record.admin_state_up else OperatingStatus.OFFLINE


def records(tree: LoadBalancerTree) -> list[Resource]:
    """All of it, the whole first."""
    found: list[Resource] = [tree.loadbalancer, *tree.listeners]
    for pool in tree.pools:
        found += [pool.pool, *pool.members, *([pool.monitor] if pool.monitor else [])]
    for item in tree.policies:
        found += [item.policy, *item.rules]
    return found


def _by_id(items: object) -> dict[str, Report]:
    listed: Sequence[Any] = items if isinstance(items, list) else []
    return {str(item["id"]): item for item in listed if isinstance(item, dict) and "id" in item}


def _listener(listener: Listener, report: Report | None) -> OperatingStatus:
    if not listener.admin_state_up or report is None:
        return OperatingStatus.OFFLINE
    return _LISTENER.get(str(report.get("status")), OperatingStatus.ERROR)


def _members(pool: PoolTree, report: Report | None) -> dict[str, OperatingStatus]:
    nodes = _by_id((report or {}).get("nodes"))
    return {member.id: _member(member, nodes.get(member.id)) for member in pool.members}


def _member(member: Member, report: Report | None) -> OperatingStatus:
    """One that is not reported keeps saying that nobody looks at it, where nobody does."""
    if report is None:
        unwatched = member.operating_status is OperatingStatus.NO_MONITOR
        return OperatingStatus.NO_MONITOR if unwatched else OperatingStatus.OFFLINE
    return _MEMBER.get(str(report.get("status")), OperatingStatus.ERROR)


def _pool(
    pool: PoolTree, report: Report | None, members: Mapping[str, OperatingStatus]
) -> OperatingStatus:
    if not pool.pool.admin_state_up or report is None:
        return OperatingStatus.OFFLINE
    statuses = list(members.values())
    wanted = [item for item in statuses if item is not OperatingStatus.OFFLINE]
    if statuses and not wanted:
        return OperatingStatus.OFFLINE
    if statuses and all(item is OperatingStatus.ERROR for item in wanted):
        return OperatingStatus.ERROR
    if OperatingStatus.ERROR in statuses:
        return OperatingStatus.DEGRADED
    return OperatingStatus.ONLINE


def _loadbalancer(
    tree: LoadBalancerTree,
    listeners: Mapping[str, OperatingStatus],
    pools: Mapping[str, OperatingStatus],
) -> OperatingStatus:
    if not tree.loadbalancer.admin_state_up:
        return OperatingStatus.OFFLINE
    statuses = {*listeners.values(), *pools.values()}
    if OperatingStatus.ERROR in statuses:
        return OperatingStatus.ERROR
    return (
        OperatingStatus.DEGRADED if OperatingStatus.DEGRADED in statuses else OperatingStatus.ONLINE
    )


def _counters(listener: Listener, report: Report) -> ListenerCounters:
    def number(name: str) -> int:
        value = report.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else 0

    return ListenerCounters(
        listener_id=listener.id,
        loadbalancer_id=listener.loadbalancer_id,
        active_connections=number("current_sessions"),
        bytes_in=number("bytes_in"),
        bytes_out=number("bytes_out"),
        request_errors=number("errors"),
        total_connections=number("total_sessions"),
        # an older worker does not tell of requests
        total_requests=number("total_requests" if "total_requests" in report else "total_sessions"),
    )
