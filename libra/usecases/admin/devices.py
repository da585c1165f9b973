"""Orders about one device of a pool, about the first so many, or about all of them.

What is ordered is stored at once and done by the manager, so that an order about hundreds is answered like one about
one. Each is idempotent: who is cut off orders again, and follows the devices by looking at them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from libra.errors import Conflict, NotFound
from libra.model.access import Caller
from libra.model.device import Device, DeviceState
from libra.model.devicepool import DevicePool
from libra.storage.base import UnitOfWork, device_lock
from libra.storage.query import Query
from libra.usecases.admin.comments import ensure_comment
from libra.usecases.deviceorders import DeviceOrder, put_order
from libra.usecases.devicepools import get_pool
from libra.usecases.devices import forget
from libra.usecases.services import Services


class FleetOrder(Enum):
    """What an operator may order about devices of a pool; the values are the words of the root's REST paths."""

    SHUTDOWN = "shutdown"  # destroy its host now; what it has goes elsewhere
    FORCE_RETIRE = "force_retire"  # drain it, and then destroy its host
    RESET = "reset_override_state"  # use it again
    REMOVE = "remove"  # forget it, and leave its host running


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Of one device, as it is then. `told` is a sentence; `accepted` False: it says why nothing has changed.

    `destroys`: its record goes with its host. Otherwise one that is shut down or retired stays, RETIRED.
    """

    device: Device
    accepted: bool
    told: str
    destroys: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What became of each, in the order of the pool. `hint` is a sentence about what follows, or empty."""

    pool: DevicePool
    outcomes: Sequence[Outcome]
    hint: str = ""

    @property
    def accepted(self) -> int:
        """How many."""
        return sum(item.accepted for item in self.outcomes)


def order_one(
    services: Services, caller: Caller, pool: str, device: str, order: FleetOrder
) -> Outcome:
    """Both by id or name. Raises `NotFound`, `Conflict`, and `Invalid` without a required comment."""
    ensure_comment(services, caller)
    with services.storage.reading() as unit:
        found = get_pool(unit, pool)
        wanted = _find_device(unit, found, device)
    outcome = _put(services, caller, found, wanted, order)
    services.bell.ring()
    return outcome


def order_many(
    services: Services, caller: Caller, pool: str, order: FleetOrder, count: int | None = None
) -> Orders:
    """The first `count` of the pool, by creation; None: all. More than there are is all.

    Each is ordered by itself: one that refuses does not keep the others. Raises `NotFound` for the pool, and `Invalid`
    without a required comment.
    """
    ensure_comment(services, caller)
    with services.storage.reading() as unit:
        found = get_pool(unit, pool)
        devices = unit.devices.find(Query(where={"pool_id": found.id}, limit=count))
    outcomes = [_try(services, caller, found, device, order) for device in devices]
    services.bell.ring()
    return Orders(pool=found, outcomes=outcomes, hint=_hint(services, found, order))


def _find_device(unit: UnitOfWork, pool: DevicePool, key: str) -> Device:
    device = unit.devices.get(key) or unit.devices.by_name(key)
    if device is None or device.pool_id != pool.id:
        raise NotFound(f"Device {key} not found in the device pool {pool.name}.")
    return device


def _try(
    services: Services, caller: Caller, pool: DevicePool, device: Device, order: FleetOrder
) -> Outcome:
    try:
        return _put(services, caller, pool, device, order)
    except (Conflict, NotFound) as error:
        return Outcome(device=device, accepted=False, told=str(error))


def _put(
    services: Services, caller: Caller, pool: DevicePool, device: Device, order: FleetOrder
) -> Outcome:
    destroys = services.can_destroy(pool)
    with services.storage.writing() as unit:
        unit.hold(device_lock(device.id))
        current = unit.devices.get(device.id)
        if current is None:
            raise NotFound(f"Device {device.name} not found in the device pool {pool.name}.")
        changed = _change(unit, services, caller, current, order, destroys=destroys)
        told = _tell(unit, changed, order, destroys=destroys)
    return Outcome(device=changed, accepted=True, told=told, destroys=destroys)


def _change(
    unit: UnitOfWork,
    services: Services,
    caller: Caller,
    device: Device,
    order: FleetOrder,
    *,
    destroys: bool,
) -> Device:
    match order:
        case FleetOrder.SHUTDOWN:
            return put_order(
                unit, services, caller, device, DeviceOrder.RETIRE, shutting_down=destroys
            )
        case FleetOrder.FORCE_RETIRE:
            return put_order(unit, services, caller, device, DeviceOrder.RETIRE)
        case FleetOrder.RESET:
            return put_order(unit, services, caller, device, DeviceOrder.APPROVE)
        case FleetOrder.REMOVE:
            forget(unit, services, caller, device)
            return device
        case _:
            assert_never(order)


def _tell(unit: UnitOfWork, device: Device, order: FleetOrder, *, destroys: bool) -> str:
    name = f"device '{device.name}'"
    match order:
        case FleetOrder.SHUTDOWN if destroys:
            words = "is shut down: its host is destroyed now"
        case FleetOrder.SHUTDOWN:
            words = (
                "is retired: no provider destroys hosts of its pool, so its worker is left alone"
            )
        case FleetOrder.FORCE_RETIRE:
            end = ", then its host is destroyed" if destroys else "; its worker is left alone"
            words = f"is retired: it gets nothing new and what it has is moved away{end}"
        case FleetOrder.RESET:
            return f"{name} is {device.state.value} again: nothing is imposed on it"
        case FleetOrder.REMOVE:
            return f"{name} is forgotten; its worker is left running"
        case _:
            assert_never(order)
    return f"{name} {words}{_explain_what_it_has(unit, device)}"


def _explain_what_it_has(unit: UnitOfWork, device: Device) -> str:
    if device.state is DeviceState.RETIRED:
        return ""
    owners = unit.loadbalancers.count({"device_id": device.id})
    moved = f"; its load balancers ({owners}) are moved to others" if owners else ""
    if unit.web_nodes.count({"node_oid": device.id}):
        moved += "; it is a node of a web cluster, and is recorded until that ends"
    return moved


def _hint(services: Services, pool: DevicePool, order: FleetOrder) -> str:
    """Who wants to empty a pool may not know that it fills itself."""
    goes = order in (FleetOrder.SHUTDOWN, FleetOrder.FORCE_RETIRE)
    if not goes or pool.disabled or not pool.min_spare or not services.can_destroy(pool):
        return ""
    return (
        f"the device pool '{pool.name}' is enabled and keeps {pool.min_spare} spare: it boots others; "
        f"'libra admin disable {pool.name}' ends that"
    )
