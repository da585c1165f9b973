"""Which device gets a load balancer."""

from collections.abc import Mapping, Sequence

from libra.errors import PoolExhausted
from libra.messages.version2.loadbalancers import MAX_LOADBALANCERS
from libra.model.device import Device, DeviceState
from libra.storage.base import Query, UnitOfWork

MAX_OLDER = 2


def choose_device(unit: UnitOfWork, address: str | None = None) -> Device:
    """The ready device with the fewest load balancers; with that address, where one is given.

    One whose worker is of an older release only where there is no other.

    Raises `PoolExhausted`.
    """
    ready = unit.devices.find(Query(where={"state": DeviceState.READY}))
    return pick_device(ready, unit.loadbalancers.per_device(), address)


def pick_device(
    devices: Sequence[Device], counts: Mapping[str, int], address: str | None = None
) -> Device:
    """Pure: see `choose_device`."""
    able = [device for device in devices if address in (None, device.address)]
    if not able:
        raise PoolExhausted(_explain(address))
    free = [device for device in able if counts.get(device.id, 0) < room(device)]
    if not free:
        raise PoolExhausted(
            f"cannot place it: every device that could take it has {max(map(room, able))} load balancers"
        )
    return min(free, key=lambda device: (device.is_older, counts.get(device.id, 0), device.name))


def room(device: Device) -> int:
    """How many load balancers it takes; an older one has a listener of HTTP and one of TCP, no more."""
    return MAX_OLDER if device.is_older else MAX_LOADBALANCERS


def _explain(address: str | None) -> str:
    if address is not None:
        return f"cannot place it: no device that is ready has the address {address}"
    return "cannot place it: no device is ready; 'libra device list' shows them"
