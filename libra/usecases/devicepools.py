"""Device pools: made, changed, listed, removed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from libra.errors import AlreadyExists, Conflict, NotFound
from libra.model.access import Caller
from libra.model.device import DEFAULT_POOL, DeviceState
from libra.model.devicepool import DevicePool
from libra.storage.base import UnitOfWork
from libra.storage.query import EVERYTHING, Query
from libra.usecases.outbox import add_event
from libra.usecases.services import Services, new_id
from libra.usecases.shrinking import drain_excess

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolCounts:
    """How many devices it has, and in which states."""

    devices: int = 0
    states: Mapping[DeviceState, int]

    @property
    def spare(self) -> int:
        """How many could take over at once."""
        return self.states.get(DeviceState.SPARE, 0)


def get_pool(unit: UnitOfWork, key: str) -> DevicePool:
    """By id or name; raises `NotFound`."""
    pool = unit.device_pools.get(key)
    if pool is not None:
        return pool
    found = unit.device_pools.find(Query(where={"name": key}))
    if not found:
        raise NotFound(f"Device pool {key} not found.")
    return found[0]


def find_pool(services: Services, key: str) -> DevicePool:
    """By id or name; raises `NotFound`."""
    return services.storage.look(lambda unit: get_pool(unit, key))


def list_pools(services: Services, query: Query = EVERYTHING) -> list[DevicePool]:
    """A page."""
    with services.storage.reading() as unit:
        return unit.device_pools.find(query)


def pool_names(services: Services) -> dict[str, str]:
    """By id."""
    return {pool.id: pool.name for pool in services.storage.look(_every)}


def _every(unit: UnitOfWork) -> list[DevicePool]:
    return unit.device_pools.find()


def count_devices(services: Services, pools: list[DevicePool]) -> dict[str, PoolCounts]:
    """By the id of their pool."""
    with services.storage.reading() as unit:
        counts = unit.devices.count_by_pool()
    return {pool.id: _counts(counts, pool.id) for pool in pools}


def _counts(counts: Mapping[tuple[str, DeviceState], int], key: str) -> PoolCounts:
    states = {state: count for (pool, state), count in counts.items() if pool == key}
    return PoolCounts(devices=sum(states.values()), states=states)


def create_pool(services: Services, caller: Caller, fields: Fields) -> DevicePool:
    """Raises `AlreadyExists`."""
    pool = DevicePool(id=new_id(), created_at=services.clock(), **fields)
    with services.storage.writing() as unit:
        _ensure_free(unit, pool)
        unit.device_pools.add(pool)
        add_event(unit, services, caller, "devicepool.created", pool.id, reason=f"'{pool.name}'")
    return pool


def change_pool(services: Services, caller: Caller, key: str, fields: Fields) -> DevicePool:
    """Only what is given changes. Raises `NotFound`, `AlreadyExists`."""
    with services.storage.writing() as unit:
        pool = get_pool(unit, key)
        changed = replace(pool, updated_at=services.clock(), **fields)
        if not changed.disabled:
            changed = replace(changed, disabled_reason=None)
        _ensure_free(unit, changed)
        if "max_devices" in fields:
            drain_excess(unit, services, caller, changed)
        if changed.name != pool.name and pool.id == DEFAULT_POOL:
            raise Conflict(
                "cannot rename the device pool 'default': devices come there by that name"
            )
        unit.device_pools.replace(changed)
        what = ", ".join(f"{name}={value}" for name, value in sorted(fields.items()))
        add_event(unit, services, caller, "devicepool.changed", pool.id, reason=what)
    services.bell.ring()
    return changed


def remove_pool(services: Services, caller: Caller, key: str) -> None:
    """Raises `NotFound`, and `Conflict` while it has devices."""
    with services.storage.writing() as unit:
        pool = get_pool(unit, key)
        if pool.id == DEFAULT_POOL:
            raise Conflict("cannot remove the device pool 'default': devices come there")
        if unit.devices.count({"pool_id": pool.id}):
            raise Conflict(f"cannot remove the device pool '{pool.name}': it has devices")
        unit.device_pools.remove(pool.id)
        add_event(unit, services, caller, "devicepool.removed", pool.id, reason=f"'{pool.name}'")


def _ensure_free(unit: UnitOfWork, pool: DevicePool) -> None:
    others = unit.device_pools.find(Query(where={"name": pool.name}))
    if any(other.id != pool.id for other in others):
        raise AlreadyExists(f"cannot name a device pool '{pool.name}': there is one of that name")
