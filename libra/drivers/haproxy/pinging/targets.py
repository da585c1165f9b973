"""Who is pinged, and how often: read from the desired state. Pure."""

import ipaddress
import re
from collections.abc import Iterator
from typing import NamedTuple

from libra.drivers.haproxy.backends import PINGED
from libra.drivers.haproxy.names import backend_name, server_name
from libra.drivers.haproxy.pinging.icmp import V4, V6
from libra.model.loadbalancer import Desired
from libra.model.pool import Member, MonitorType, Pool

_MARKED = re.compile(rf"^backend (\S+)\n(?:    .*\n)*?{re.escape(PINGED)}$", re.MULTILINE)

ServerKey = tuple[str, str]  # backend, server


class Target(NamedTuple):
    """One member, by HAProxy's names. `address` None is for HAProxy to say, which resolves the member's name.

    Seconds; `rise` answers in a row, or `fall` missing ones, turn it.
    """

    key: ServerKey
    address: str | None
    interval: float
    timeout: float
    rise: int
    fall: int


def build_targets(
    desired: Desired, unable: frozenset[int] = frozenset()
) -> dict[ServerKey, Target]:
    """Those of all pools whose monitor is PING, but for versions of IP that this host cannot ping."""
    return {
        target.key: target
        for pool in pinged_pools(desired)
        for target in (
            _target(pool, member) for member in pool.members if _needed(member) not in unable
        )
    }


def pinged_pools(desired: Desired) -> Iterator[Pool]:
    """In the order of their load balancers."""
    for loadbalancer in desired.loadbalancers:
        yield from (pool for pool in loadbalancer.pools if is_pinged(pool))


def is_pinged(pool: Pool) -> bool:
    """Whether its monitor is PING."""
    return pool.monitor is not None and pool.monitor.type is MonitorType.PING


def needed_versions(desired: Desired) -> dict[int, Pool]:
    """The versions of IP that its members have by their addresses, each with a pool that needs it."""
    needed: dict[int, Pool] = {}
    for pool in pinged_pools(desired):
        for member in pool.members:
            needed.setdefault(_needed(member), pool)
    return needed


def _needed(member: Member) -> int:
    """Names are mostly of IPv4."""
    return version_of(member.monitor_address or member.address) or V4


def is_installed(desired: Desired, text: str | None) -> bool:
    """Whether HAProxy's file says of all these pools that they are pinged."""
    pinged = set(_MARKED.findall(text or ""))
    return all(backend_name(pool.id) in pinged for pool in pinged_pools(desired))


def version_of(address: str) -> int | None:
    """4 or 6; None for a name."""
    try:
        return V4 if ipaddress.ip_address(address).version == V4 else V6
    except ValueError:
        return None


def _target(pool: Pool, member: Member) -> Target:
    monitor = pool.monitor
    assert monitor is not None
    address = member.monitor_address or member.address
    return Target(
        key=(backend_name(pool.id), server_name(member.id)),
        address=address if version_of(address) is not None else None,
        interval=monitor.delay.total_seconds(),
        timeout=monitor.timeout.total_seconds(),
        rise=monitor.attempts,
        fall=monitor.attempts_down or monitor.attempts,
    )
