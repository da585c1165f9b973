"""Devices, as Octavia's clients know what load balancers run on: there an amphora has one, here a device has many."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from libra.errors import Conflict, NotFound
from libra.model.access import Caller
from libra.model.counters import ListenerCounters
from libra.model.device import Device, DeviceState
from libra.model.job import JobPriority
from libra.model.resources.loadbalancer import LoadBalancer
from libra.storage.base import UnitOfWork, device_lock
from libra.storage.query import Query
from libra.usecases import devices, loadbalancers
from libra.usecases.deviceorders import DeviceOrder
from libra.usecases.outbox import add_event, add_update
from libra.usecases.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Amphora:
    """A device that is not retired, with what it has, oldest first."""

    device: Device
    pool: str
    loadbalancers: tuple[LoadBalancer, ...] = ()


def list_amphorae(services: Services) -> list[Amphora]:
    """By creation."""
    with services.storage.reading() as unit:
        found = [item for item in unit.devices.find() if item.state is not DeviceState.RETIRED]
        return _with_loads(unit, found)


def find_amphora(services: Services, key: str) -> Amphora:
    """By id; raises `NotFound`."""
    with services.storage.reading() as unit:
        return _find(unit, key)


def _find(unit: UnitOfWork, key: str) -> Amphora:
    device = unit.devices.get(key)
    if device is None or device.state is DeviceState.RETIRED:
        raise NotFound(f"Amphora {key} not found.")
    (found,) = _with_loads(unit, [device])
    return found


def _with_loads(unit: UnitOfWork, found: Collection[Device]) -> list[Amphora]:
    keys = [device.id for device in found]
    pools = {pool.id: pool.name for pool in unit.device_pools.find()}
    owners: dict[str, list[LoadBalancer]] = {key: [] for key in keys}
    where: dict[str, Any] = {"device_id": keys}
    for owner in unit.loadbalancers.find(Query(where=where)) if keys else ():
        owners[str(owner.device_id)].append(owner)
    return [
        Amphora(
            device=device,
            pool=pools.get(device.pool_id, device.pool_id),
            loadbalancers=tuple(owners[device.id]),
        )
        for device in found
    ]


def count_traffic(services: Services, key: str) -> list[ListenerCounters]:
    """Of every listener that it serves. Raises `NotFound`."""
    with services.storage.reading() as unit:
        found = _find(unit, key)
        return [
            counters
            for owner in found.loadbalancers
            for counters in unit.counters.of_loadbalancer(owner.id)
        ]


def fail_over(services: Services, caller: Caller, key: str) -> None:
    """Everything that it has goes elsewhere, as `loadbalancers.fail_over` says. It may get others then.

    Raises `NotFound`, and `Conflict` where it has nothing, or nothing that could be moved now.
    """
    found = find_amphora(services, key)
    if not found.loadbalancers:
        raise Conflict(f"cannot fail over {key}: it has no load balancer")
    refused: list[Conflict] = []
    for owner in found.loadbalancers:
        try:
            loadbalancers.fail_over(services, caller, owner.id)
        except Conflict as error:
            refused.append(error)
        except NotFound:
            continue  # it was deleted meanwhile
    if len(refused) == len(found.loadbalancers):
        raise refused[0]


def configure(services: Services, caller: Caller, key: str) -> None:
    """It is told all that it shall run once more. Raises `NotFound`."""
    with services.storage.writing() as unit:
        unit.hold(device_lock(key))
        device = _find(unit, key).device
        generation = unit.devices.next_generation(device.id)
        add_update(unit, services, caller, device, generation=generation, priority=JobPriority.HIGH)
        add_event(unit, services, caller, "device.configured", key, reason=f"'{device.name}'")
    services.bell.ring()


def delete(services: Services, caller: Caller, key: str) -> None:
    """The device is retired. Raises `NotFound`, and `Conflict` while it has load balancers."""
    found = find_amphora(services, key)
    if found.loadbalancers:
        raise Conflict(
            f"cannot delete {key}: it has {len(found.loadbalancers)} load balancers; fail it over"
        )
    devices.order_device(services, caller, key, DeviceOrder.RETIRE)
