"""Orders about whole device pools: whether anything new is placed there, and how many devices they may have."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from libra.errors import Invalid
from libra.messages.fields import quoted
from libra.model.access import Caller
from libra.model.device import Device
from libra.model.devicepool import DevicePool
from libra.model.quota import UNLIMITED
from libra.usecases.admin.comments import ensure_comment
from libra.usecases.devicepools import get_pool
from libra.usecases.outbox import add_event
from libra.usecases.services import Services
from libra.usecases.shrinking import drain_excess, find_excess

MOST_DEVICES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """The pool as it is then, what it had been allowed before (None: no limit), and which devices are drained now."""

    pool: DevicePool
    before: int | None
    drained: Sequence[Device]


def switch_pool(services: Services, caller: Caller, key: str, *, disabled: bool) -> DevicePool:
    """As it is then; idempotent. Raises `NotFound`, and `Invalid` without a required comment."""
    ensure_comment(services, caller)
    with services.storage.writing() as unit:
        pool = get_pool(unit, key)
        reason = caller.comment[:255] or pool.disabled_reason if disabled else None
        changed = replace(pool, disabled=disabled, disabled_reason=reason)
        if changed != pool:
            changed = replace(changed, updated_at=services.clock())
            unit.device_pools.replace(changed)
        kind = f"devicepool.{'disabled' if disabled else 'enabled'}"
        add_event(unit, services, caller, kind, pool.id, reason=f"'{pool.name}'")
    services.bell.ring()
    return changed


def allocate(services: Services, caller: Caller, key: str, most: int | None) -> Allocation:
    """How many devices it may have; None: as many as there are. Where it has more, the excess is drained.

    Raises `NotFound`, and `Invalid` without a required comment and for a number that is none.
    """
    ensure_comment(services, caller)
    _ensure_number(most)
    with services.storage.writing() as unit:
        pool = get_pool(unit, key)
        changed = replace(pool, max_devices=most, updated_at=services.clock())
        drained = drain_excess(unit, services, caller, changed)
        unit.device_pools.replace(changed)
        told = f"'{pool.name}': from {_words(pool.max_devices)} to {_words(most)}"
        add_event(unit, services, caller, "devicepool.allocated", pool.id, reason=told)
    services.bell.ring()
    return Allocation(pool=changed, before=pool.max_devices, drained=drained)


def preview_allocation(services: Services, key: str, most: int | None) -> Allocation:
    """What `allocate` would do now; raises as it does."""
    _ensure_number(most)
    with services.storage.reading() as unit:
        pool = get_pool(unit, key)
        changed = replace(pool, max_devices=most)
        return Allocation(pool=changed, before=pool.max_devices, drained=find_excess(unit, changed))


def _ensure_number(most: int | None) -> None:
    if most is not None and not 0 <= most <= MOST_DEVICES:
        raise Invalid(
            f"cannot allocate {quoted(most)} devices: it must be from 0 to {MOST_DEVICES}, "
            f"or {UNLIMITED} for no limit"
        )


def _words(most: int | None) -> str:
    return "no limit" if most is None else str(most)
