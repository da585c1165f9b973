"""Load balancers on their way from one device to another.

The target is told first, and the source lets go once the target has confirmed, so that a planned move costs nothing.
A source that is dead is emptied when it answers again, before it is used for anything else.
"""

from collections.abc import Iterable
from dataclasses import replace

from libra.model.access import Caller
from libra.model.device import Device
from libra.model.devicepool import Move
from libra.model.job import JobPriority
from libra.model.resources.loadbalancer import LoadBalancer
from libra.model.status import ProvisioningStatus
from libra.storage.base import UnitOfWork, device_lock
from libra.storage.query import Query
from libra.usecases.outbox import add_event, add_update
from libra.usecases.placement import occupy
from libra.usecases.services import Services

DEVICES_OWN = "default"
"""What clients name where no address pool is configured: the address of the device."""


def move_all(
    unit: UnitOfWork,
    services: Services,
    caller: Caller,
    owners: Iterable[LoadBalancer],
    source: Device,
    target: Device,
    reason: str,
) -> None:
    """Both devices' locks are held (`hold_devices`). A change that is under way goes on at the target."""
    for owner in owners:
        _move(unit, services, caller, owner, source, target, reason)
    unit.devices.next_generation(source.id)  # what was written before, and arrives late, is refused
    occupy(unit, source.id)
    occupy(unit, target.id)


def _move(
    unit: UnitOfWork,
    services: Services,
    caller: Caller,
    owner: LoadBalancer,
    source: Device,
    target: Device,
    reason: str,
) -> None:
    status = owner.provisioning_status
    generation = unit.devices.next_generation(target.id)
    moved = replace(
        owner,
        device_id=target.id,
        generation=generation,
        provisioning_status=status if status.is_pending else ProvisioningStatus.PENDING_UPDATE,
    )
    if not services.address_pools:
        moved = replace(moved, vip_address=target.address)
    unit.loadbalancers.replace(moved)
    _record(unit, services, owner, source, target, reason)
    add_update(
        unit,
        services,
        caller,
        target,
        generation=generation,
        loadbalancer_id=owner.id,
        project_id=owner.project_id,
        priority=JobPriority.HIGH,
    )
    add_event(
        unit,
        services,
        caller,
        "loadbalancer.failover",
        owner.id,
        owner.project_id,
        f"from '{source.name}' to '{target.name}': {reason}",
    )


def _record(
    unit: UnitOfWork,
    services: Services,
    owner: LoadBalancer,
    source: Device,
    target: Device,
    reason: str,
) -> None:
    """Moved on before the last target confirmed, it is still the first source that has it."""
    before = unit.moves.get(owner.id)
    unit.moves.remove(owner.id)
    first = before.source if before is not None and not before.confirmed else source.id
    if first == target.id:
        return
    unit.moves.add(
        Move(
            loadbalancer_id=owner.id,
            source=first,
            target=target.id,
            reason=reason,
            started_at=services.clock(),
        )
    )


def confirm_move(unit: UnitOfWork, owner: LoadBalancer) -> None:
    """Its device has it; the source is told by `finish_move`, for its lock must not be taken behind this one's."""
    move = unit.moves.get(owner.id)
    if move is not None and move.target == owner.device_id and not move.confirmed:
        unit.moves.replace(replace(move, confirmed=True))


def confirmed_moves(unit: UnitOfWork) -> list[Move]:
    """Those to be finished."""
    return unit.moves.find(Query(where={"confirmed": True}))


def finish_move(unit: UnitOfWork, services: Services, caller: Caller, move: Move) -> None:
    """Let the source let go. One that does not answer is told when it does, as of every drift."""
    unit.hold(device_lock(move.source))
    if unit.moves.get(move.loadbalancer_id) != move:
        return
    unit.moves.remove(move.loadbalancer_id)
    source = unit.devices.get(move.source)
    if source is None:
        return
    generation = unit.devices.next_generation(source.id)
    if not source.misses:
        add_update(unit, services, caller, source, generation=generation, priority=JobPriority.HIGH)
