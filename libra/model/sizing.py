"""How many devices a pool with a provider needs more, and which of them never came. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from libra.model.device import Device, DeviceState
from libra.model.devicepool import DevicePool

BOOT_TIME = timedelta(minutes=5)
MOST_AT_ONCE = 4


def count_boots(pool: DevicePool, devices: Iterable[Device], *, destroys: bool = True) -> int:
    """Those that are building will be spare soon. A disabled pool gets no more, and none more than it may have.

    Where its provider destroys hosts, one that is RETIRED still has one. One that waits for approval is nobody's yet.
    """
    if pool.disabled:
        return 0
    states = [device.state for device in devices]
    building = states.count(DeviceState.BUILDING)
    missing = pool.min_spare - states.count(DeviceState.SPARE) - building
    left = MOST_AT_ONCE - building
    if pool.max_devices is not None:
        without = {DeviceState.ANNOUNCED} | (set() if destroys else {DeviceState.RETIRED})
        left = min(left, pool.max_devices - sum(state not in without for state in states))
    return max(0, min(missing, left))


def find_late(devices: Iterable[Device], now: datetime) -> Sequence[Device]:
    """Those in ERROR that never answered since they were made, which is long ago; with them nothing is lost."""
    return [
        device
        for device in devices
        if device.state is DeviceState.ERROR
        and device.last_seen is None
        and now - device.created_at > BOOT_TIME
    ]
