"""Devices: added, listed, asked, ordered about, removed."""

from dataclasses import replace

from libra.errors import AlreadyExists, Conflict, NotFound
from libra.model.access import Caller
from libra.model.device import DEFAULT_POOL, Device, DeviceState
from libra.model.job import Job, JobAction, JobPriority
from libra.storage.base import UnitOfWork, device_lock
from libra.storage.query import EVERYTHING, Query
from libra.usecases.announcements import announced
from libra.usecases.deviceorders import DeviceOrder, put_order
from libra.usecases.devicepools import get_pool
from libra.usecases.outbox import add_event, build_job
from libra.usecases.services import Services, new_id


def add_device(
    services: Services, caller: Caller, name: str, address: str, pool: str = DEFAULT_POOL
) -> Device:
    """It is asked how it does at once; load balancers come once it has answered.

    One that has announced itself is approved by that. Raises `NotFound` for the pool, `AlreadyExists`.
    """
    with services.storage.writing() as unit:
        unit.hold(announced(name))
        known = unit.devices.by_name(name)
        if known is not None and known.state is not DeviceState.ANNOUNCED:
            raise AlreadyExists(f"cannot add the device '{name}': there is one of that name")
        device = known or Device(id=new_id(), name=name, created_at=services.clock())
        device = replace(
            device,
            address=address or device.address,
            pool_id=get_pool(unit, pool).id,
            state=DeviceState.BUILDING,
        )
        if known is None:
            unit.devices.add(device)
        else:
            unit.devices.replace(device)
        add_event(unit, services, caller, "device.added", device.id, reason=f"'{name}'")
    services.bell.ring()
    return device


def order_device(services: Services, caller: Caller, key: str, order: DeviceOrder) -> Device:
    """As it is then; what it has is moved by the manager. Raises `NotFound`, and `Conflict` where that cannot be."""
    found = find_device(services, key)
    with services.storage.writing() as unit:
        unit.hold(device_lock(found.id))
        device = unit.devices.get(found.id)
        if device is None:
            raise NotFound(f"Device {key} not found.")
        changed = put_order(unit, services, caller, device, order)
    services.bell.ring()
    return changed


def list_devices(services: Services, query: Query = EVERYTHING) -> list[Device]:
    """By creation."""
    with services.storage.reading() as unit:
        return unit.devices.find(query)


def find_device(services: Services, key: str) -> Device:
    """By id or name; raises `NotFound`."""
    with services.storage.reading() as unit:
        device = unit.devices.get(key) or unit.devices.by_name(key)
    if device is None:
        raise NotFound(f"Device {key} not found.")
    return device


def count_loadbalancers(services: Services) -> dict[str, int]:
    """By device."""
    with services.storage.reading() as unit:
        loads = unit.loadbalancers.loads()
    return {device: load.loadbalancers for device, load in loads.items()}


def remove_device(services: Services, caller: Caller, key: str) -> None:
    """Forget it; raises `Conflict` while it has load balancers or is a node. Its worker is not told."""
    found = find_device(services, key)
    with services.storage.writing() as unit:
        unit.hold(device_lock(found.id))
        device = unit.devices.get(found.id)
        if device is None:
            raise NotFound(f"Device {key} not found.")
        forget(unit, services, caller, device)


def forget(unit: UnitOfWork, services: Services, caller: Caller, device: Device) -> None:
    """As `remove_device`; its lock is held."""
    if unit.loadbalancers.count({"device_id": device.id}):
        raise Conflict(
            f"cannot remove the device '{device.name}': it has load balancers; "
            f"'libra device evacuate {device.name}' moves them away"
        )
    if unit.web_nodes.count({"node_oid": device.id}):
        raise Conflict(
            f"cannot remove the device '{device.name}': it is a node of a web cluster; "
            f"'libra webcluster node remove CLUSTER {device.name}' ends that"
        )
    unit.devices.remove(device.id)
    add_event(unit, services, caller, "device.removed", device.id, reason=f"'{device.name}'")


def ask_device(services: Services, caller: Caller, key: str, action: JobAction) -> Job:
    """A DISCOVER or STATS by hand, before other jobs."""
    device = find_device(services, key)
    job = build_job(
        services,
        caller,
        device,
        action,
        services.limits.job_deadline,
        priority=JobPriority.HIGH,
    )
    with services.storage.writing() as unit:
        unit.jobs.add(job)
    services.bell.ring()
    return job
