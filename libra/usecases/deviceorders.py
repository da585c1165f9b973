"""What operators order about devices: used, set apart, retired, shut down."""

from dataclasses import replace
from enum import Enum

from libra.errors import Conflict
from libra.model.access import Caller
from libra.model.device import Device, DeviceState, Mover, ensure_transition
from libra.storage.base import UnitOfWork
from libra.usecases.outbox import add_event
from libra.usecases.services import Services


class DeviceOrder(Enum):
    """What an operator may do to a device."""

    APPROVE = "approve"  # use it: for the first time, or again
    EVACUATE = "evacuate"  # move everything away from it, and nothing there
    RETIRE = "retire"  # the same, and then forget to ask it


def put_order(
    unit: UnitOfWork,
    services: Services,
    caller: Caller,
    device: Device,
    order: DeviceOrder,
    *,
    shutting_down: bool = False,
) -> Device:
    """As it is then; its lock is held. `shutting_down`: retire it, and have its host destroyed before it is empty.

    What is so already is no event. Raises `Conflict`.
    """
    if order is DeviceOrder.APPROVE:
        _ensure_stays(unit, services, device)
    changed = _ordered(unit, device, order)
    if shutting_down and changed.state is not DeviceState.RETIRED:
        changed = replace(changed, shutting_down=True)
    ensure_transition(device, changed.state, Mover.OPERATOR)
    if changed == device and order is not DeviceOrder.APPROVE:
        return device
    unit.devices.replace(changed)
    kind = "device.shutting_down" if shutting_down else f"device.{_DONE[order]}"
    add_event(unit, services, caller, kind, device.id, reason=f"'{device.name}'")
    return changed


def _ensure_stays(unit: UnitOfWork, services: Services, device: Device) -> None:
    """Raises `Conflict` for one whose host is about to be destroyed: its record would stand for nothing."""
    going = device.shutting_down
    if device.state is DeviceState.RETIRED:
        pool = unit.device_pools.get(device.pool_id)
        going = going or (pool is not None and services.can_destroy(pool))
    if going:
        raise Conflict(
            f"cannot approve the device '{device.name}': its host is being destroyed, which nothing takes back"
        )


_DONE = {
    DeviceOrder.APPROVE: "approved",
    DeviceOrder.EVACUATE: "evacuating",
    DeviceOrder.RETIRE: "retiring",
}


def _ordered(unit: UnitOfWork, device: Device, order: DeviceOrder) -> Device:
    if order is DeviceOrder.APPROVE:
        into = DeviceState.BUILDING
        if device.is_ready or device.state is DeviceState.BUILDING:
            into = device.state
        elif device.state is DeviceState.DRAINING and not device.misses:
            has_some = unit.loadbalancers.count({"device_id": device.id})
            into = DeviceState.ASSIGNED if has_some else DeviceState.SPARE
        return replace(device, state=into, retiring=False, misses=0, failing_since=None)
    if order is DeviceOrder.RETIRE and device.state is DeviceState.ANNOUNCED:
        return replace(device, state=DeviceState.RETIRED)
    if device.state is DeviceState.RETIRED and order is DeviceOrder.RETIRE:
        return device
    retiring = device.shutting_down or order is DeviceOrder.RETIRE
    return replace(device, state=DeviceState.DRAINING, retiring=retiring)
