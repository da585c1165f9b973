"""What is to be moved to where, and when rather nothing is. Pure.

Devices that die one by one are replaced. Where many of a pool seem to die at about the same time, it is rather the
network between them and the controller: then nothing is moved, for the devices may well serve on, and there is an
alert instead. When the network comes back they answer one after the other: those that are not heard of yet get the time
of some probes before they count as dead by themselves.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from libra.model.device import Device, DeviceState
from libra.model.devicepool import DevicePool

SAME_TIME = timedelta(seconds=30)
SAME_PROBES = 5
SETTLING, SETTLING_PROBES = timedelta(seconds=5), 3
FEWEST_DEAD = 2
"""One that is dead alone is never the network's fault, however small the pool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A device of the pool, and what it has. `room` is how many load balancers it would take more."""

    device: Device
    loadbalancers: int = 0
    projects: frozenset[str] = frozenset()
    room: int = 0


@dataclass(frozen=True, slots=True)
class Failover:
    """Everything of `source` goes to `target`, both by their ids."""

    source: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPlan:
    """What is to be done now. `waiting` are devices for which there is no target. `brake` says why it holds, or "";
    `eases` where it holds only for those that may be heard of in a moment.
    """

    failovers: tuple[Failover, ...] = ()
    waiting: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    brake: str = ""
    eases: bool = False


def plan_pool(
    pool: DevicePool,
    devices: Sequence[Watched],
    busy: int,
    probe: timedelta,
    *,
    addresses_move: bool,
    easing: timedelta = timedelta(),
) -> PoolPlan:
    """`devices` are all of the pool that are watched, `busy` is how many failovers of it are under way, `probe` the
    time between two probes. Only where `addresses_move` do several share a device that has some already. `easing` is
    for how long the plans before this one have said that the brake eases.
    """
    dead = [item for item in devices if _looks_dead(item.device)]
    failed = [
        item for item in dead if item.device.state is DeviceState.ERROR and item.loadbalancers
    ]
    held = [item for item in failed if _is_braked(pool, item, dead, len(devices), probe)]
    brake, eases = _explain(held, dead, len(devices)), False
    settling = max(SETTLING, SETTLING_PROBES * probe)
    if failed and not held and pool.brake_since is not None and easing < settling:
        held, brake, eases = failed, pool.brake_reason, True
    wanted = [item for item in failed if item not in held] + [
        item for item in devices if item.device.state is DeviceState.DRAINING and item.loadbalancers
    ]
    left = max(0, pool.max_parallel_failovers - busy)
    failovers, waiting = _place(pool, wanted, devices, left, addresses_move=addresses_move)
    return PoolPlan(
        failovers=tuple(failovers),
        waiting=tuple(waiting),
        held=tuple(item.device.id for item in held),
        brake=brake,
        eases=eases,
    )


def _looks_dead(device: Device) -> bool:
    return device.failing_since is not None


def _is_braked(
    pool: DevicePool, item: Watched, dead: Collection[Watched], total: int, probe: timedelta
) -> bool:
    near = max(SAME_TIME, SAME_PROBES * probe)
    since = _since(item)
    count = sum(abs(_since(other) - since) <= near for other in dead)
    return count >= FEWEST_DEAD and 100 * count > pool.brake_percent * total


def _since(item: Watched) -> datetime:
    assert item.device.failing_since is not None
    return item.device.failing_since


def _explain(held: Sequence[Watched], dead: Sequence[Watched], total: int) -> str:
    if not held:
        return ""
    names = ", ".join(sorted(item.device.name for item in held)[:5])
    return (
        f"{len(dead)} of {total} devices do not answer, which is rather the network: nothing is moved "
        f"({names}{', ...' if len(held) > 5 else ''}); 'libra device evacuate' moves one all the same"
    )


def _place(
    pool: DevicePool,
    wanted: Sequence[Watched],
    devices: Iterable[Watched],
    left: int,
    *,
    addresses_move: bool,
) -> tuple[list[Failover], list[str]]:
    """Those that fail longest first; each to one that is spare, or where that is allowed to the emptiest."""
    free = [item for item in devices if _may_take(item)]
    failovers: list[Failover] = []
    waiting: list[str] = []
    for item in sorted(wanted, key=lambda item: (str(item.device.failing_since), item.device.name)):
        able = [other for other in free if _takes(pool, other, item, addresses_move=addresses_move)]
        if not able:
            waiting.append(item.device.id)
        elif len(failovers) < left:
            target = min(able, key=lambda other: (other.loadbalancers, other.device.name))
            free.remove(target)  # one at a time each
            failovers.append(Failover(item.device.id, target.device.id))
    return failovers, waiting


def _may_take(item: Watched) -> bool:
    """One that has just missed a probe is no refuge."""
    return item.device.is_ready and not item.device.misses


def _takes(pool: DevicePool, target: Watched, source: Watched, *, addresses_move: bool) -> bool:
    if target.room < source.loadbalancers or target.device.id == source.device.id:
        return False
    if target.device.is_older and not source.device.is_older:
        return False
    if target.device.state is DeviceState.SPARE:
        return True
    return addresses_move and (pool.shared or target.projects == source.projects)
