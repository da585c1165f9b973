"""Which devices a pool gives up where it has more than it may. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from libra.model.device import WATCHED, Device, DeviceState

_IDLE = (DeviceState.ERROR, DeviceState.DRAINING, DeviceState.SPARE, DeviceState.BUILDING)
"""Those without anything, what is of the least use first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupied:
    """A device of the pool, and what it has. `is_node`: of a web cluster, which nobody else ends."""

    device: Device
    loadbalancers: int = 0
    is_node: bool = False


def counts(device: Device) -> bool:
    """Whether it is one of those that the pool has: it is used, or may be, and is not on its way out."""
    return device.state in WATCHED and not device.retiring


def choose_excess(devices: Iterable[Occupied], most: int) -> Sequence[Device]:
    """Those that are to go so that `most` stay.

    First those that have nothing, the oldest first: those that fail, or were set apart, then spare ones, then those
    that are about to come. Then those with the fewest load balancers. Nodes of web clusters come last.
    """
    mine = [item for item in devices if counts(item.device)]
    return [item.device for item in sorted(mine, key=_rank)[: max(0, len(mine) - most)]]


def _rank(item: Occupied) -> tuple[object, ...]:
    state = item.device.state
    idle = not item.loadbalancers and state in _IDLE
    return (
        item.is_node,
        item.loadbalancers,
        _IDLE.index(state) if idle else len(_IDLE),
        item.device.created_at,
        item.device.id,
    )
