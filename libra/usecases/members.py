"""Members of pools."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from libra.errors import AlreadyExists, Conflict, Invalid, NotFound
from libra.model.access import Caller
from libra.model.resources.loadbalancer import LoadBalancer
from libra.model.resources.member import Member
from libra.model.resources.pool import Pool
from libra.model.status import OperatingStatus, ProvisioningStatus
from libra.storage.base import UnitOfWork
from libra.storage.query import Query
from libra.usecases.access import ensure_may_see
from libra.usecases.change import Change
from libra.usecases.fitting import ensure_members
from libra.usecases.pools import show as show_pool
from libra.usecases.quotas import ensure_room
from libra.usecases.services import Services, new_id

Fields = Mapping[str, Any]
Target = tuple[str, int]


def create(services: Services, caller: Caller, pool_id: str, fields: Fields) -> Member:
    """Raises `Conflict` where the pool has that address and port already."""
    pool = show_pool(services, caller, pool_id)
    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        owner = change.lock(pool.loadbalancer_id)
        pool = change.pool(pool_id)
        ensure_room(unit, services, owner.project_id, member=1)
        ensure_members(unit.members.count({"pool_id": pool_id}) + 1)
        member = add_member(change, pool, fields, monitored=_is_monitored(unit, pool))
        _send(change, owner, pool, f"member {member.id} created")
    services.bell.ring()
    return member


def add_member(change: Change, pool: Pool, fields: Fields, *, monitored: bool) -> Member:
    """In a change of its load balancer."""
    status = OperatingStatus.OFFLINE if monitored else OperatingStatus.NO_MONITOR
    member = Member(
        id=new_id(),
        project_id=pool.project_id,
        loadbalancer_id=pool.loadbalancer_id,
        pool_id=pool.id,
        created_at=change.moment(),
        operating_status=status,
        **fields,
    )
    try:
        change.unit.members.add(member)
    except AlreadyExists:
        raise Conflict(
            f"Another member on this Pool is already using ip {member.address} "
            f"on protocol_port {member.protocol_port}"
        ) from None
    return member


def show(services: Services, caller: Caller, pool_id: str, key: str) -> Member:
    """Raises `NotFound`, also for a member of another pool, and `Forbidden`."""
    show_pool(services, caller, pool_id)
    with services.storage.reading() as unit:
        member = unit.members.get(key)
    if member is None or member.pool_id != pool_id:
        raise NotFound(f"Member {key} not found.")
    ensure_may_see(caller, member)
    return member


def update(services: Services, caller: Caller, pool_id: str, key: str, fields: Fields) -> Member:
    """Only what is given changes."""
    before = show(services, caller, pool_id, key)
    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        owner = change.lock(before.loadbalancer_id)
        pending = {"provisioning_status": ProvisioningStatus.PENDING_UPDATE}
        member = replace(_get(unit, key), **{**fields, **pending})
        unit.members.replace(member)
        _send(change, owner, change.pool(pool_id), f"member {key} changed")
    services.bell.ring()
    return member


def delete(services: Services, caller: Caller, pool_id: str, key: str) -> None:
    """It drains first."""
    before = show(services, caller, pool_id, key)
    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        owner = change.lock(before.loadbalancer_id)
        going = replace(
            _get(unit, key), provisioning_status=ProvisioningStatus.PENDING_DELETE, going=True
        )
        unit.members.replace(going)
        _send(change, owner, change.pool(pool_id), f"member {key} deleted")
    services.bell.ring()


def replace_all(
    services: Services,
    caller: Caller,
    pool_id: str,
    wanted: Sequence[Fields],
    *,
    additive_only: bool = False,
) -> None:
    """The pool's members are these, by address and port. Where they are already, nothing is touched."""
    targets = [_target(fields) for fields in wanted]
    if len(set(targets)) != len(targets):
        raise Invalid("Validation failure: two members have the same address and protocol_port")
    pool = show_pool(services, caller, pool_id)
    if not _differs(_members(services, pool_id), wanted, additive_only=additive_only):
        return
    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        owner = change.lock(pool.loadbalancer_id)
        pool = change.pool(pool_id)
        _write_all(change, pool, wanted, additive_only=additive_only)
        _send(change, owner, pool, "members replaced")
    services.bell.ring()


def _members(services: Services, pool_id: str) -> list[Member]:
    with services.storage.reading() as unit:
        return unit.members.find(Query(where={"pool_id": pool_id}))


def _differs(present: Sequence[Member], wanted: Sequence[Fields], *, additive_only: bool) -> bool:
    by_target = {(item.address, item.protocol_port): item for item in present if not item.going}
    if not additive_only and len(by_target) != len(wanted):
        return True
    return any(
        _target(fields) not in by_target or _changes(by_target[_target(fields)], fields)
        for fields in wanted
    )


def _changes(member: Member, fields: Fields) -> bool:
    return any(getattr(member, name) != value for name, value in fields.items())


def _write_all(
    change: Change, pool: Pool, wanted: Sequence[Fields], *, additive_only: bool
) -> None:
    unit = change.unit
    present = {
        (item.address, item.protocol_port): item
        for item in unit.members.find(Query(where={"pool_id": pool.id}))
    }
    fresh = [fields for fields in wanted if _target(fields) not in present]
    leaving = 0 if additive_only else len(present) + len(fresh) - len(wanted)
    ensure_members(len(present) + len(fresh))  # until its device has let them go, both are there
    ensure_room(unit, change.services, pool.project_id, member=max(0, len(fresh) - leaving))
    monitored = _is_monitored(unit, pool)
    for fields in fresh:
        add_member(change, pool, fields, monitored=monitored)
    for fields in wanted:
        member = present.pop(_target(fields), None)
        if member is not None and (member.going or _changes(member, fields)):
            pending = {"provisioning_status": ProvisioningStatus.PENDING_UPDATE, "going": False}
            unit.members.replace(replace(member, **{**fields, **pending}))
    for member in () if additive_only else present.values():
        going = replace(member, provisioning_status=ProvisioningStatus.PENDING_DELETE, going=True)
        unit.members.replace(going)


def _send(change: Change, owner: LoadBalancer, pool: Pool, what: str) -> None:
    change.touch(pool)
    change.send(owner, what)


def _is_monitored(unit: UnitOfWork, pool: Pool) -> bool:
    return bool(unit.monitors.count({"pool_id": pool.id}))


def _get(unit: UnitOfWork, key: str) -> Member:
    member = unit.members.get(key)
    if member is None:
        raise NotFound(f"Member {key} not found.")
    return member


def _target(fields: Fields) -> Target:
    return str(fields["address"]), int(fields["protocol_port"])
