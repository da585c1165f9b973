"""Which device gets a load balancer."""

from collections.abc import Mapping, Sequence

from libra.errors import PoolExhausted
from libra.messages.version2.loadbalancers import MAX_LOADBALANCERS
from libra.model.device import Device, DeviceState
from libra.storage.base import Query, UnitOfWork

SECOND_VERSION = "2.0"


def choose_device(unit: UnitOfWork, address: str | None = None) -> Device:
    """The ready device with the fewest load balancers; with that address, where one is given.

    Raises `PoolExhausted`.
    """
    ready = unit.devices.find(Query(where={"state": DeviceState.READY}))
    return pick_device(ready, unit.loadbalancers.per_device(), address)


def pick_device(
    devices: Sequence[Device], counts: Mapping[str, int], address: str | None = None
) -> Device:
    """Pure: see `choose_device`."""
    able = [device for device in devices if device.protocol == SECOND_VERSION]
    if address is not None:
        able = [device for device in able if device.address == address]
    if not able:
        raise PoolExhausted(_explain(devices, address))
    able = [device for device in able if counts.get(device.id, 0) < MAX_LOADBALANCERS]
    if not able:
        raise PoolExhausted(
            f"cannot place it: every device that could take it has {MAX_LOADBALANCERS} load balancers"
        )
    return min(able, key=lambda device: (counts.get(device.id, 0), device.name))


def _explain(devices: Sequence[Device], address: str | None) -> str:
    if address is not None:
        return f"cannot place it: no device that is ready has the address {address}"
    if devices:
        return "cannot place it: the devices that are ready have workers of an older release"
    return "cannot place it: no device is ready; 'libra device list' shows them"
