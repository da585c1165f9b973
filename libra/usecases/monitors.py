"""Health monitors, one a pool."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from libra.errors import AlreadyExists, Conflict, NotFound
from libra.model.access import Caller
from libra.model.resources.monitor import HealthMonitor
from libra.model.resources.pool import Pool
from libra.model.status import ProvisioningStatus
from libra.usecases.access import ensure_may_see
from libra.usecases.change import Change
from libra.usecases.fitting import ensure_monitor
from libra.usecases.pools import show as show_pool
from libra.usecases.quotas import ensure_room
from libra.usecases.services import Services, new_id

Fields = Mapping[str, Any]


def create(services: Services, caller: Caller, pool_id: str, fields: Fields) -> HealthMonitor:
    """Raises `Conflict` where the pool has one."""
    pool = show_pool(services, caller, pool_id)
    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        owner = change.lock(pool.loadbalancer_id)
        ensure_room(unit, services, owner.project_id, health_monitor=1)
        pool = change.pool(pool_id)
        monitor = add_monitor(change, pool, fields)
        change.touch(pool)
        change.send(owner, f"health monitor {monitor.id} created")
    services.bell.ring()
    return monitor


def add_monitor(change: Change, pool: Pool, fields: Fields) -> HealthMonitor:
    """In a change of its load balancer."""
    monitor = HealthMonitor(
        id=new_id(),
        project_id=pool.project_id,
        loadbalancer_id=pool.loadbalancer_id,
        pool_id=pool.id,
        created_at=change.moment(),
        **fields,
    )
    ensure_monitor(monitor)
    try:
        change.unit.monitors.add(monitor)
    except AlreadyExists:
        raise Conflict(f"This pool already has a health monitor: {pool.id}") from None
    return monitor


def show(services: Services, caller: Caller, key: str) -> HealthMonitor:
    """Raises `NotFound` and `Forbidden`."""
    monitor = services.storage.look(lambda unit: unit.monitors.get(key))
    if monitor is None:
        raise NotFound(f"HealthMonitor {key} not found.")
    ensure_may_see(caller, monitor)
    return monitor


def update(services: Services, caller: Caller, key: str, fields: Fields) -> HealthMonitor:
    """Only what is given changes."""
    before = show(services, caller, key)
    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        owner = change.lock(before.loadbalancer_id)
        current = unit.monitors.get(key)
        if current is None:
            raise NotFound(f"HealthMonitor {key} not found.")
        pending = {"provisioning_status": ProvisioningStatus.PENDING_UPDATE}
        monitor = replace(current, **{**fields, **pending})
        ensure_monitor(monitor)
        unit.monitors.replace(monitor)
        change.touch(change.pool(monitor.pool_id))
        change.send(owner, f"health monitor {key} changed")
    services.bell.ring()
    return monitor


def delete(services: Services, caller: Caller, key: str) -> None:
    """Nothing is checked from then on."""
    before = show(services, caller, key)
    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        owner = change.lock(before.loadbalancer_id)
        current = unit.monitors.get(key)
        if current is None:
            raise NotFound(f"HealthMonitor {key} not found.")
        going = replace(current, provisioning_status=ProvisioningStatus.PENDING_DELETE, going=True)
        unit.monitors.replace(going)
        change.touch(change.pool(going.pool_id))
        change.send(owner, f"health monitor {key} deleted")
    services.bell.ring()
