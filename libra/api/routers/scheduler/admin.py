"""Orders about clouds, which are device pools here, and their vms, which are devices."""

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from libra.api.auth import OPERATORS, Given
from libra.api.routers.scheduler.ordering import COMMENT, Ordering
from libra.api.routers.scheduler.parameters import Asked, Parameters
from libra.api.routers.scheduler.telling import tell
from libra.errors import Invalid
from libra.model.access import Caller
from libra.usecases.admin import devices, pools
from libra.usecases.admin.devices import FleetOrder, Orders, Outcome
from libra.usecases.services import Services

router = APIRouter(tags=["scheduler: orders"], dependencies=[Depends(OPERATORS)])
ENABLE, DISABLE = "enable", "disable"
NO_LIMIT = "none"
DRY_RUN = "dry_run"
PUT_ORDERS = tuple(order.value for order in FleetOrder)
POST_ORDERS = (FleetOrder.FORCE_RETIRE.value,)
VMS = "/clouds/{cloud:segment}/vms"
VM = f"{VMS}/{{vm:segment}}"


@router.put("/clouds/{cloud:segment}")
def change_cloud(
    request: Request, cloud: str, asked: Asked, services: Given, caller: Ordering
) -> Response:
    """`action` enable or disable, or `allocations`: how many devices it may have, or none for no limit.

    With `allocations`, `dry_run=true` only tells which devices would be drained.
    """
    if "allocations" in asked:
        if "action" in asked:
            raise Invalid("cannot tell what is wanted: give action or allocations, not both")
        asked.only("allocations", DRY_RUN, COMMENT)
        return _allocate(request, cloud, asked, services, caller)
    action = asked.only("action", COMMENT).word("action", (ENABLE, DISABLE))
    pool = pools.switch_pool(services, caller, cloud, disabled=action == DISABLE)
    shown = {"cloud": pool.name, "id": pool.id, "enabled": not pool.disabled}
    what = "disabled: nothing new comes there" if pool.disabled else "enabled"
    return tell(request, f"the device pool '{pool.name}' is {what}", shown)


def _allocate(
    request: Request, cloud: str, asked: Parameters, services: Services, caller: Caller
) -> Response:
    is_limited = asked.text("allocations") != NO_LIMIT
    most = asked.number("allocations") if is_limited else None
    is_dry = asked.word(DRY_RUN, ("true", "false"), "false") == "true"
    if is_dry:
        done, would = pools.preview_allocation(services, cloud, most), "would be"
    else:
        done, would = pools.allocate(services, caller, cloud, most), "is"
    name, now, before = done.pool.name, _words(most), _words(done.before)
    words = [
        f"the device pool '{name}' {'could' if is_dry else 'may'} have {now}; before, {before}"
    ]
    words += [f"device '{device.name}' {would} drained and retired" for device in done.drained]
    shown = {
        "cloud": done.pool.name,
        "id": done.pool.id,
        "allocations": most,
        "before": done.before,
        "dry_run": is_dry,
        "drained": [{"id": device.id, "name": device.name} for device in done.drained],
    }
    return tell(request, "\n".join(words), shown)


def _words(most: int | None) -> str:
    return "as many devices as there are" if most is None else f"{most} devices"


@router.delete(VMS)
def remove_vms(
    request: Request, cloud: str, asked: Asked, services: Given, caller: Ordering
) -> Response:
    """Forget all of them, or the first `count`; their workers are left running."""
    asked.only("count", COMMENT)
    return _order_many(request, cloud, asked, services, caller, FleetOrder.REMOVE)


@router.put(VMS)
def change_vms(
    request: Request, cloud: str, asked: Asked, services: Given, caller: Ordering
) -> Response:
    """`action` about all of them, or the first `count`."""
    order = _order(asked, PUT_ORDERS)
    return _order_many(request, cloud, asked, services, caller, order)


@router.post(VMS)
def retire_vms(
    request: Request, cloud: str, asked: Asked, services: Given, caller: Ordering
) -> Response:
    """`action` force_retire, of all of them, or the first `count`."""
    order = _order(asked, POST_ORDERS)
    return _order_many(request, cloud, asked, services, caller, order)


@router.delete(VM)
def remove_vm(
    request: Request, cloud: str, vm: str, asked: Asked, services: Given, caller: Ordering
) -> Response:
    """Forget it; its worker is left running."""
    asked.only("count", COMMENT)
    return _order_one(request, cloud, vm, services, caller, FleetOrder.REMOVE)


@router.put(VM)
def change_vm(
    request: Request, cloud: str, vm: str, asked: Asked, services: Given, caller: Ordering
) -> Response:
    """`action` about this one; a `count` counts for nothing."""
    return _order_one(request, cloud, vm, services, caller, _order(asked, PUT_ORDERS))


@router.post(VM)
def retire_vm(
    request: Request, cloud: str, vm: str, asked: Asked, services: Given, caller: Ordering
) -> Response:
    """`action` force_retire."""
    return _order_one(request, cloud, vm, services, caller, _order(asked, POST_ORDERS))


def _order(asked: Parameters, allowed: tuple[str, ...]) -> FleetOrder:
    return FleetOrder(asked.only("action", "count", COMMENT).word("action", allowed))


def _order_one(
    request: Request, cloud: str, vm: str, services: Services, caller: Caller, order: FleetOrder
) -> Response:
    outcome = devices.order_one(services, caller, cloud, vm, order)
    return tell(request, outcome.told, {"action": order.value, **_show(outcome)})


def _order_many(
    request: Request,
    cloud: str,
    asked: Parameters,
    services: Services,
    caller: Caller,
    order: FleetOrder,
) -> Response:
    """409 where there are some, and all of them refuse."""
    done = devices.order_many(services, caller, cloud, order, asked.count())
    shown = {
        "cloud": done.pool.name,
        "action": order.value,
        "accepted": done.accepted,
        "refused": len(done.outcomes) - done.accepted,
        "vms": [_show(outcome) for outcome in done.outcomes],
        "hint": done.hint,
    }
    status = 200 if done.accepted or not done.outcomes else 409
    return tell(request, _lines(done), shown, status)


def _lines(done: Orders) -> str:
    lines = [outcome.told for outcome in done.outcomes]
    if not lines:
        lines.append(f"the device pool '{done.pool.name}' has no devices")
    return "\n".join([*lines, *filter(None, [done.hint])])


def _show(outcome: Outcome) -> dict[str, Any]:
    device = outcome.device
    return {
        "id": device.id,
        "name": device.name,
        "accepted": outcome.accepted,
        "state": device.state.value,
        "destroys": outcome.destroys,
        "told": outcome.told,
    }
