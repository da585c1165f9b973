"""Load balancers: created whole, changed, deleted, sent again."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from libra.errors import Conflict, Invalid, NotFound, PoolExhausted
from libra.model.access import Caller
from libra.model.device import Device
from libra.model.job import JobPriority
from libra.model.resources.loadbalancer import NOOP, LoadBalancer
from libra.model.resources.tree import LoadBalancerTree
from libra.model.status import OperatingStatus, ProvisioningStatus
from libra.storage.base import PLACEMENT, UnitOfWork, device_lock, hold_devices
from libra.usecases.access import choose_project, ensure_may_see
from libra.usecases.addresses import allocate, find_pool
from libra.usecases.admin.refusals import noting_refusals
from libra.usecases.adminmaps import find_zone
from libra.usecases.change import Change
from libra.usecases.devicelimits import narrow_by_limit
from libra.usecases.moving import DEVICES_OWN, move_all
from libra.usecases.outbox import add_update
from libra.usecases.placement import choose_device, occupy, pick_place
from libra.usecases.quotas import ensure_room
from libra.usecases.services import Services, new_id

Fields = Mapping[str, Any]
NOWHERE = "192.0.2.1"
"""An address that is nobody's, for documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vip:
    """What a client asks for: an address, and the address pool that it knows as a subnet or a network."""

    address: str | None = None
    pool: str | None = None
    network: str | None = None


@noting_refusals
def create(
    services: Services,
    caller: Caller,
    project: str | None,
    vip: Vip,
    fields: Fields,
    listeners: Sequence[Fields] = (),
    pools: Sequence[Fields] = (),
) -> LoadBalancerTree:
    """With all its parts, or not at all. `listeners` and `pools` are as in `libra.usecases.parts`."""
    from libra.usecases.parts import PartsWriter

    owner_project = choose_project(caller, project)
    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        writer = PartsWriter(change, listeners, pools)
        unit.hold(PLACEMENT)
        device, zone = None, fields.get("availability_zone")
        if fields.get("provider") == NOOP:
            if zone is not None:
                find_zone(unit, zone)  # there is one, though it means nothing here
        else:
            device = _choose_device(unit, services, owner_project, vip, zone)
            unit.hold(device_lock(device.id))
        ensure_room(unit, services, owner_project, load_balancer=1, **writer.counts())
        owner = LoadBalancer(
            id=new_id(),
            project_id=owner_project,
            created_at=change.now,
            device_id=device.id if device else None,
            **fields,
        )
        owner = _place(unit, services, owner, device, vip)
        if device is not None:
            occupy(unit, device.id)
        writer.write(owner)
        change.send(owner, "created")
        tree = unit.loadbalancers.tree(owner.id)
    services.bell.ring()
    assert tree is not None
    return tree


def _choose_device(
    unit: UnitOfWork, services: Services, project: str, vip: Vip, zone: str | None
) -> Device:
    """Without address pools a client may name the address of the one that it wants."""
    return choose_device(unit, project, None if services.address_pools else vip.address, zone)


def _place(
    unit: UnitOfWork, services: Services, owner: LoadBalancer, device: Device | None, vip: Vip
) -> LoadBalancer:
    """Stored, with an address: of a pool, or the device's own where there is none. Without a device any is as good."""
    if not services.address_pools:
        if vip.pool not in (None, DEVICES_OWN):
            raise Invalid(f"Subnet {vip.pool} not found: no address pool is configured")
        own = device.address if device else vip.address or NOWHERE
        placed = _on_subnet(owner, DEVICES_OWN, own)
        unit.loadbalancers.add(placed)
        return placed
    pool = find_pool(services.address_pools, vip.pool)
    if vip.network is not None and find_pool(services.address_pools, vip.network) != pool:
        raise Invalid("Validation failure: vip_subnet_id and vip_network_id are of different pools")
    placed = _on_subnet(owner, pool.id, "")
    unit.loadbalancers.add(placed)
    placed = replace(placed, vip_address=allocate(unit, pool, owner.id, vip.address))
    unit.loadbalancers.replace(placed)
    return placed


def _on_subnet(owner: LoadBalancer, subnet: str, address: str) -> LoadBalancer:
    return replace(
        owner,
        vip_address=address,
        vip_subnet_id=subnet,
        vip_network_id=subnet,
        vip_port_id=owner.id,
    )


def show(services: Services, caller: Caller, key: str) -> LoadBalancerTree:
    """Raises `NotFound` and `Forbidden`."""
    with services.storage.reading() as unit:
        tree = unit.loadbalancers.tree(key)
    if tree is None:
        raise NotFound(f"Load Balancer {key} not found.")
    ensure_may_see(caller, tree.loadbalancer)
    return tree


def show_briefly(
    services: Services, caller: Caller, key: str
) -> tuple[LoadBalancer, list[str], list[str]]:
    """With the ids of its listeners and pools. Raises as `show`."""
    found = services.storage.look(lambda unit: unit.loadbalancers.brief(key))
    if found is None:
        raise NotFound(f"Load Balancer {key} not found.")
    ensure_may_see(caller, found[0])
    return found


def part_ids(
    unit: UnitOfWork, keys: Collection[str]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The ids of listeners and of pools, by load balancer."""
    owner = "loadbalancer_id"
    return unit.listeners.ids_by(owner, keys), unit.pools.ids_by(owner, keys)


def update(services: Services, caller: Caller, key: str, fields: Fields) -> LoadBalancerTree:
    """Only what is given changes."""
    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        owner = replace(change.lock(key), **fields)
        unit.loadbalancers.replace(owner)
        change.send(owner, "changed")
        tree = unit.loadbalancers.tree(key)
    services.bell.ring()
    assert tree is not None
    return tree


def delete(services: Services, caller: Caller, key: str, *, cascade: bool) -> None:
    """It is gone once its device has let it go. Raises `Invalid` where it has parts and `cascade` is not asked for."""
    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        owner = change.lock(key, ProvisioningStatus.PENDING_DELETE)
        tree = unit.loadbalancers.tree(key)
        assert tree is not None
        if not cascade and (tree.listeners or tree.pools):
            raise Invalid(
                f"Cannot delete Load Balancer {key}: it has listeners or pools; cascade deletes them, too"
            )
        if owner.device_id is None:
            unit.loadbalancers.remove_tree(key)
            change.tell("loadbalancer.deleted", owner, "it was on no device")
        else:
            change.send(replace(owner, going=True), "deleted")
    services.bell.ring()


def fail_over(services: Services, caller: Caller, key: str) -> None:
    """To another device of the pool that may have it; where there is none, its own is told everything anew.

    Raises `NotFound`, `Forbidden`, and `Conflict` while a change is under way.
    """
    with services.storage.writing() as unit:
        owner = unit.loadbalancers.get(key)
        if owner is None or not _move_elsewhere(unit, services, caller, owner):
            _send_again(unit, services, caller, key)
    services.bell.ring()


def _move_elsewhere(
    unit: UnitOfWork, services: Services, caller: Caller, owner: LoadBalancer
) -> bool:
    """False, and nothing has changed, where there is no other device for it."""
    unit.hold(PLACEMENT)
    source = unit.devices.get(owner.device_id) if owner.device_id else None
    if source is None:
        return False
    places = [
        place
        for place in unit.devices.places()
        if place.pool_id == source.pool_id
        and place.device_id != source.id
        and (services.address_pools or not place.loadbalancers)
        and (source.is_older or not place.is_older)
    ]
    leaving = () if _has_others(unit, owner) else (source.id,)
    try:
        chosen = pick_place(
            narrow_by_limit(unit, owner.project_id, places, leaving), owner.project_id
        )
    except PoolExhausted:
        return False
    hold_devices(unit, source.id, chosen.device_id)
    locked = Change(unit, services, caller).lock(owner.id)
    target = unit.devices.get(chosen.device_id)
    if target is None or locked.device_id != source.id:
        raise Conflict(f"Load Balancer {owner.id} is on its way already; try again")
    move_all(unit, services, caller, [locked], source, target, f"asked for by {caller.name}")
    return True


def _has_others(unit: UnitOfWork, owner: LoadBalancer) -> bool:
    """Whether its project has something else on its device, too."""
    on_it = {"device_id": owner.device_id, "project_id": owner.project_id}
    nodes = unit.web_nodes.count({"node_oid": owner.device_id})
    return bool(nodes) or unit.loadbalancers.count(on_it) > 1


def _send_again(unit: UnitOfWork, services: Services, caller: Caller, key: str) -> None:
    """Before other jobs."""
    change = Change(unit, services, caller)
    owner = change.lock(key)
    if owner.provider == NOOP:
        return
    if owner.device_id is None:
        raise Conflict(f"cannot send Load Balancer {key} again: it is on no device")
    generation = unit.devices.next_generation(owner.device_id)
    device = unit.devices.get(owner.device_id)
    assert device is not None
    unit.loadbalancers.replace(replace(owner, generation=generation))
    add_update(
        unit,
        services,
        caller,
        device,
        generation=generation,
        loadbalancer_id=key,
        project_id=owner.project_id,
        priority=JobPriority.HIGH,
    )
    change.tell("loadbalancer.failover", owner, "asked for; there is no other device")


INITIAL = OperatingStatus.OFFLINE
"""What everything is before it was measured."""
