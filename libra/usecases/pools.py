"""Pools."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from libra.errors import Conflict, Invalid, NotFound
from libra.model.access import Caller
from libra.model.resources.loadbalancer import LoadBalancer
from libra.model.resources.pool import Pool
from libra.model.resources.references import wanted_by_pool
from libra.model.status import ProvisioningStatus
from libra.storage.query import Query
from libra.usecases.access import ensure_may_see
from libra.usecases.certificates import ensure_references
from libra.usecases.change import Change
from libra.usecases.fitting import POOL_TLS_FIELDS, ensure_pair, ensure_pool
from libra.usecases.quotas import ensure_room
from libra.usecases.senders import policies_of, senders_of
from libra.usecases.services import Services, new_id

Fields = Mapping[str, Any]


def create(
    services: Services,
    caller: Caller,
    owner_id: str | None,
    listener_id: str | None,
    fields: Fields,
) -> Pool:
    """Of a load balancer; or the default pool of a listener, which must have none. One of the two ids.

    With `members` and `healthmonitor` as in `libra.usecases.parts`.
    """
    from libra.usecases.parts import PartsWriter

    listener = None
    if listener_id is not None:
        from libra.usecases.listeners import show as show_listener

        listener = show_listener(services, caller, listener_id)
        if owner_id not in (None, listener.loadbalancer_id):
            raise Invalid("Validation failure: the listener belongs to another load balancer")
        owner_id = listener.loadbalancer_id
    if owner_id is None:
        raise Invalid(
            "Validation failure: Must provide at least one of: loadbalancer_id, listener_id"
        )
    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        owner = change.lock(owner_id)
        writer = PartsWriter(change, [], [fields])
        ensure_room(unit, services, owner.project_id, **writer.counts())
        writer.ensure_fitting(owner)
        (pool,) = writer.write_pools(owner)
        if listener_id is not None:
            _make_default(change, listener_id, pool)
        change.send(owner, f"pool {pool.id} created")
    services.bell.ring()
    return pool


def add_pool(change: Change, owner: LoadBalancer, fields: Fields) -> Pool:
    """In a change of its load balancer."""
    pool = Pool(
        id=new_id(),
        project_id=owner.project_id,
        loadbalancer_id=owner.id,
        created_at=change.moment(),
        **fields,
    )
    ensure_pool(pool)
    ensure_references(change.unit, pool.project_id, wanted_by_pool(pool))
    change.unit.pools.add(pool)
    return pool


def _make_default(change: Change, listener_id: str, pool: Pool) -> None:
    listener = change.unit.listeners.get(listener_id)
    if listener is None:
        raise NotFound(f"Listener {listener_id} not found.")
    if listener.default_pool_id is not None:
        raise Conflict(f"Listener {listener_id} already has a default pool.")
    ensure_pair(listener, pool)
    pending = ProvisioningStatus.PENDING_UPDATE
    change.unit.listeners.replace(
        replace(listener, default_pool_id=pool.id, provisioning_status=pending)
    )


def show(services: Services, caller: Caller, key: str) -> Pool:
    """Raises `NotFound` and `Forbidden`."""
    pool = services.storage.look(lambda unit: unit.pools.get(key))
    if pool is None:
        raise NotFound(f"Pool {key} not found.")
    ensure_may_see(caller, pool)
    return pool


def update(services: Services, caller: Caller, key: str, fields: Fields) -> Pool:
    """Only what is given changes."""
    before = show(services, caller, key)
    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        owner = change.lock(before.loadbalancer_id)
        pending = {"provisioning_status": ProvisioningStatus.PENDING_UPDATE}
        pool = replace(change.pool(key), **{**fields, **pending})
        ensure_pool(pool)
        if POOL_TLS_FIELDS & set(fields):
            ensure_references(unit, pool.project_id, wanted_by_pool(pool))
        for listener in senders_of(unit, key):
            ensure_pair(listener, pool)
        change.touch(pool)
        change.send(owner, f"pool {key} changed")
    services.bell.ring()
    return pool


def delete(services: Services, caller: Caller, key: str) -> None:
    """With its members and its monitor; listeners that sent there send nowhere.

    Raises `Conflict` where an L7 policy redirects to it.
    """
    before = show(services, caller, key)
    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        owner = change.lock(before.loadbalancer_id)
        if users := policies_of(unit, key):
            raise Conflict(f"Pool {key} is in use: the L7 policy {users[0].id} redirects to it")
        going = replace(
            change.pool(key), provisioning_status=ProvisioningStatus.PENDING_DELETE, going=True
        )
        unit.pools.replace(going)
        for listener in unit.listeners.find(Query(where={"default_pool_id": key})):
            status = ProvisioningStatus.PENDING_UPDATE
            if listener.going:
                status = ProvisioningStatus.PENDING_DELETE
            unit.listeners.replace(
                replace(listener, default_pool_id=None, provisioning_status=status)
            )
        change.send(owner, f"pool {key} deleted")
    services.bell.ring()
