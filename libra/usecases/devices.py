"""Devices: added, listed, asked, removed."""

from libra.errors import AlreadyExists, Conflict, NotFound
from libra.model.access import Caller
from libra.model.device import Device
from libra.model.job import Job, JobAction, JobPriority
from libra.storage.base import EVERYTHING, Query
from libra.usecases.outbox import add_event, build_job
from libra.usecases.services import Services, new_id


def add_device(services: Services, caller: Caller, name: str, address: str) -> Device:
    """It is asked how it does at once; load balancers come once it has answered."""
    device = Device(id=new_id(), name=name, address=address, created_at=services.clock())
    with services.storage.writing() as unit:
        if unit.devices.by_name(name) is not None:
            raise AlreadyExists(f"cannot add the device '{name}': there is one of that name")
        unit.devices.add(device)
        add_event(unit, services, caller, "device.added", device.id, reason=f"'{name}'")
    services.bell.ring()
    return device


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
        return unit.loadbalancers.per_device()


def remove_device(services: Services, caller: Caller, key: str) -> None:
    """Forget it; raises `Conflict` while it has load balancers. Its worker is not told."""
    device = find_device(services, key)
    with services.storage.writing() as unit:
        if unit.loadbalancers.count({"device_id": device.id}):
            raise Conflict(f"cannot remove the device '{device.name}': it has load balancers")
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
