"""Listeners."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from libra.errors import AlreadyExists, Conflict, NotFound
from libra.model.access import Caller
from libra.model.resources.listener import Listener
from libra.model.resources.loadbalancer import LoadBalancer
from libra.model.resources.references import wanted_by_listener
from libra.model.status import ProvisioningStatus
from libra.storage.query import Query
from libra.usecases.access import ensure_may_see
from libra.usecases.certificates import ensure_references
from libra.usecases.change import Change
from libra.usecases.fitting import (
    TLS_FIELDS,
    ensure_cidrs,
    ensure_pair,
    ensure_sharing,
    ensure_tls,
)
from libra.usecases.quotas import ensure_room
from libra.usecases.senders import senders_of
from libra.usecases.services import Services, new_id

Fields = Mapping[str, Any]


def create(services: Services, caller: Caller, owner_id: str, fields: Fields) -> Listener:
    """With `default_pool` and `l7policies` as in `libra.usecases.parts`; raises `Conflict` where its port is taken."""
    from libra.usecases.parts import PartsWriter

    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        owner = change.lock(owner_id)
        writer = PartsWriter(change, [fields], [], owner)
        ensure_room(unit, services, owner.project_id, **writer.counts())
        writer.ensure_fitting(owner)
        (listener,) = writer.write(owner)
        change.send(owner, f"listener {listener.id} created")
    services.bell.ring()
    return listener


def add_listener(change: Change, owner: LoadBalancer, fields: Fields) -> Listener:
    """In a change of its load balancer."""
    given = {"name": "", **fields}
    listener = Listener(
        id=new_id(),
        project_id=owner.project_id,
        loadbalancer_id=owner.id,
        created_at=change.moment(),
        **given,
    )
    ensure_cidrs(listener, owner.vip_address)
    _ensure_tls(change, listener)
    _ensure_pool(change, listener)
    _ensure_port(change, owner, listener)
    try:
        change.unit.listeners.add(listener)
    except AlreadyExists:
        raise Conflict(
            f"Another Listener on this Load Balancer is already using protocol_port {listener.protocol_port}"
        ) from None
    return listener


def _ensure_tls(change: Change, listener: Listener) -> None:
    ensure_tls(listener)
    ensure_references(change.unit, listener.project_id, wanted_by_listener(listener))


def _ensure_pool(change: Change, listener: Listener) -> None:
    if listener.default_pool_id is None:
        return
    pool = change.unit.pools.get(listener.default_pool_id)
    if pool is None or pool.loadbalancer_id != listener.loadbalancer_id:
        raise NotFound(f"Pool {listener.default_pool_id} not found.")
    ensure_pair(listener, pool)
    ensure_sharing(listener, pool.id, senders_of(change.unit, pool.id))


def _ensure_port(change: Change, owner: LoadBalancer, listener: Listener) -> None:
    """Load balancers without addresses of their own share their device's ports."""
    if change.services.address_pools or owner.device_id is None:
        return
    change.unit.hold(f"ports {owner.device_id}")
    others = change.unit.loadbalancers.find(Query(where={"device_id": owner.device_id}))
    where = {"loadbalancer_id": [o.id for o in others], "protocol_port": listener.protocol_port}
    if change.unit.listeners.count(where):
        raise Conflict(
            f"cannot listen on port {listener.protocol_port}: another load balancer on the same device has it"
        )


def show(services: Services, caller: Caller, key: str) -> Listener:
    """Raises `NotFound` and `Forbidden`."""
    listener = services.storage.look(lambda unit: unit.listeners.get(key))
    if listener is None:
        raise NotFound(f"Listener {key} not found.")
    ensure_may_see(caller, listener)
    return listener


def update(services: Services, caller: Caller, key: str, fields: Fields) -> Listener:
    """Only what is given changes."""
    before = show(services, caller, key)
    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        owner = change.lock(before.loadbalancer_id)
        current = unit.listeners.get(key)
        if current is None:
            raise NotFound(f"Listener {key} not found.")
        pending = {"provisioning_status": ProvisioningStatus.PENDING_UPDATE}
        listener = replace(current, **{**fields, **pending})
        if "allowed_cidrs" in fields:
            ensure_cidrs(listener, owner.vip_address)
        if "default_pool_id" in fields:
            _ensure_pool(change, listener)
        if TLS_FIELDS & set(fields):
            _ensure_tls(change, listener)
        unit.listeners.replace(listener)
        change.send(owner, f"listener {key} changed")
    services.bell.ring()
    return listener


def delete(services: Services, caller: Caller, key: str) -> None:
    """Its pool stays."""
    before = show(services, caller, key)
    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        owner = change.lock(before.loadbalancer_id)
        current = unit.listeners.get(key)
        if current is None:
            raise NotFound(f"Listener {key} not found.")
        going = replace(current, provisioning_status=ProvisioningStatus.PENDING_DELETE, going=True)
        unit.listeners.replace(going)
        change.send(owner, f"listener {key} deleted")
    services.bell.ring()
