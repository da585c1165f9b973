"""The devices that send traffic to nodes: who they are, and how they are told that something changed."""

from collections.abc import Collection, Iterable

from libra.model.access import Caller
from libra.model.draining import canonical_address
from libra.model.job import JobPriority
from libra.model.nodestatus import Node
from libra.storage.base import PLACEMENT, UnitOfWork, hold_devices
from libra.storage.query import Query
from libra.usecases.outbox import add_update
from libra.usecases.services import Services


def devices_of(unit: UnitOfWork, nodes: Iterable[Node]) -> set[str]:
    """The ids of those that have, or may have, members at the address of one of these nodes.

    One that is overlooked, because it gets such a member just now, is told as of every drift.
    """
    addresses = {canonical_address(node.address) for node in nodes if node.address}
    return {key for address in sorted(addresses) for key in unit.nodes.devices_with(address)}


def reporters(unit: UnitOfWork) -> set[str]:
    """The ids of those that report the status of every node by themselves."""
    found = unit.devices.find(Query(where={"reports_health": True}))
    return {device.id for device in found}


def told_of(unit: UnitOfWork, nodes: Iterable[Node]) -> set[str]:
    """The ids of those that must be told when the status of one of these changes."""
    return devices_of(unit, nodes) | reporters(unit)


def hold_told(unit: UnitOfWork, devices: Collection[str]) -> None:
    """Before anything else in the transaction."""
    if len(devices) > 1:
        unit.hold(PLACEMENT)
    hold_devices(unit, *devices)


def tell_devices(
    unit: UnitOfWork, services: Services, caller: Caller, devices: Collection[str]
) -> None:
    """What is stored when this transaction ends; before other jobs. One that does not answer is told when it does."""
    for key in sorted(devices):
        device = unit.devices.get(key)
        if device is None or device.misses:
            continue
        generation = unit.devices.next_generation(key)
        add_update(unit, services, caller, device, generation=generation, priority=JobPriority.HIGH)
