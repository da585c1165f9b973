"""What a reply, or its absence, means for the records: written in one transaction each."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from libra.manager.plan import DevicePlan
from libra.manager.secrets import seal_shown
from libra.manager.statuses import UNMEASURED, records, status_of_unmeasured
from libra.manager.webparts import confirm_parts, refuse_parts
from libra.model.access import Caller, Role
from libra.model.device import Device, DeviceState, Mover, ensure_transition
from libra.model.job import OPEN, Job, JobPriority, JobState
from libra.model.materials import Materials
from libra.model.resources.loadbalancer import LoadBalancer
from libra.model.resources.resource import Resource
from libra.model.resources.tree import LoadBalancerTree
from libra.model.status import OperatingStatus, ProvisioningStatus
from libra.model.translate import without_deleted
from libra.storage.base import UnitOfWork
from libra.storage.kinds import Rows
from libra.usecases.moving import confirm_move
from libra.usecases.outbox import add_event, add_update
from libra.usecases.placement import occupy
from libra.usecases.services import Services

MANAGER = Caller(name="manager", role=Role.OPERATOR)
MAX_TEXT = 20_000


def settle_pass(
    unit: UnitOfWork, services: Services, job: Job, plan: DevicePlan, digest: str
) -> None:
    """What was sent is live; what was going is gone."""
    for tree in _still_there(unit, job, plan):
        owner = tree.loadbalancer
        if owner.generation > plan.desired.generation:
            continue  # it was changed again meanwhile, and another job carries that
        if owner.id in plan.deleted:
            unit.loadbalancers.remove_tree(owner.id)
            _tell(unit, services, owner, "loadbalancer.deleted")
        elif not owner.going:
            _activate(unit, services, tree, plan.materials)
    confirm_parts(unit, job.device_id, plan)
    _acknowledge(unit, services, job.device_id, plan.desired.generation, digest)
    occupy(unit, job.device_id)


def _still_there(unit: UnitOfWork, job: Job, plan: DevicePlan) -> list[LoadBalancerTree]:
    """Without those that were moved away meanwhile: generations are a device's own."""
    trees = unit.loadbalancers.trees(plan.pending)
    return [tree for tree in trees if tree.loadbalancer.device_id == job.device_id]


def _activate(
    unit: UnitOfWork, services: Services, tree: LoadBalancerTree, materials: Materials
) -> None:
    activate_records(unit, services, tree)
    live = unit.loadbalancers.tree(tree.loadbalancer.id)
    if live is not None:
        unit.loadbalancers.set_applied(live, seal_shown(services.sealer, live, materials))
    confirm_move(unit, tree.loadbalancer)


def activate_records(unit: UnitOfWork, services: Services, tree: LoadBalancerTree) -> None:
    """What was on its way is there, and what was going is gone."""
    now, kept = services.clock(), without_deleted(tree)
    remaining = {record.id for record in records(kept)}
    for record in records(tree):
        rows = rows_of(unit, record)
        if record.id not in remaining:
            rows.remove(record.id)
        elif record.provisioning_status is not ProvisioningStatus.ACTIVE:
            changes: dict[str, Any] = {"provisioning_status": ProvisioningStatus.ACTIVE}
            changes["updated_at"] = now
            if isinstance(record, LoadBalancer):
                changes["reason"] = ""
            if isinstance(record, UNMEASURED):
                changes["operating_status"] = status_of_unmeasured(record)
            rows.replace(replace(_as_kept(record, kept), **changes))
    _tell(unit, services, tree.loadbalancer, "loadbalancer.active")


def _as_kept(record: Resource, kept: LoadBalancerTree) -> Resource:
    """A listener whose pool is gone names none."""
    return next(item for item in records(kept) if item.id == record.id)


def _acknowledge(
    unit: UnitOfWork, services: Services, device_id: str, generation: int, digest: str
) -> None:
    device = unit.devices.get(device_id)
    if device is None:
        return
    newest = max(device.acknowledged, generation)
    unit.devices.replace(
        replace(device, acknowledged=newest, digest=digest, last_seen=services.clock())
    )


def settle_fail(
    unit: UnitOfWork, services: Services, job: Job, plan: DevicePlan, reason: str
) -> None:
    """One of those that were sent is at fault: each is tried alone, and the last one standing is it.

    What was new of web clusters goes first: it is sent no more, and the others are tried without it.
    """
    device = unit.devices.get(job.device_id)
    if refuse_parts(unit, job.device_id, plan, reason[:MAX_TEXT], services.clock()):
        if plan.pending and device is not None:
            generation = plan.desired.generation
            add_update(
                unit, services, MANAGER, device, generation=generation, priority=job.priority
            )
        return
    if len(plan.pending) > 1 and device is not None:
        for key in sorted(plan.pending):
            tried = add_update(
                unit,
                services,
                MANAGER,
                device,
                generation=plan.desired.generation,
                loadbalancer_id=key,
                priority=job.priority,
                alone=True,
            )
            unit.jobs.replace(replace(tried, deadline=job.deadline))
        return
    for tree in _still_there(unit, job, plan):
        if tree.loadbalancer.generation <= plan.desired.generation:
            mark_error(unit, services, tree, reason)


def mark_error(unit: UnitOfWork, services: Services, tree: LoadBalancerTree, reason: str) -> None:
    """The load balancer, and whatever of it was on its way."""
    owner = tree.loadbalancer
    if owner.provisioning_status is ProvisioningStatus.ERROR and owner.reason == reason[:MAX_TEXT]:
        return
    for record in records(tree):
        if record.provisioning_status.is_pending or record.id == owner.id:
            changes: dict[str, Any] = {"provisioning_status": ProvisioningStatus.ERROR}
            if isinstance(record, LoadBalancer):
                changes["reason"] = reason[:MAX_TEXT]
            rows_of(unit, record).replace(replace(record, **changes))
    _tell(unit, services, owner, "loadbalancer.error", reason)


def finish_job(
    unit: UnitOfWork, services: Services, job: Job, state: JobState, **fields: Any
) -> None:
    """Its secrets are not needed any more."""
    ended = replace(job, state=state, sealed="", updated_at=services.clock(), **fields)
    if unit.jobs.change(job.id, ended, OPEN):
        services.meters.count_job(job.action, state)


def repair(unit: UnitOfWork, services: Services, device: Device, owner: LoadBalancer) -> None:
    """Try one that is in ERROR again, without the others."""
    add_update(
        unit,
        services,
        MANAGER,
        device,
        generation=device.generation,
        loadbalancer_id=owner.id,
        project_id=owner.project_id,
        priority=JobPriority.LOW,
        alone=True,
    )


def see_device(
    unit: UnitOfWork, services: Services, device: Device, state: DeviceState, **fields: Any
) -> Device | None:
    """As it is stored now, None where it is gone. An event where its state changes; nothing is changed where an
    operator has moved it meanwhile.
    """
    current = unit.devices.get(device.id)
    if current is None or current.state is not device.state:
        return current
    ensure_transition(current, state, Mover.PROBER)
    if state is DeviceState.ERROR and current.state is not state:
        for tree in unit.loadbalancers.trees_of(device.id):
            _write_unknown(unit, tree)
    if current.last_seen is None:
        fields.setdefault("first_seen", fields.get("last_seen"))
    seen = replace(current, state=state, **fields)
    unit.devices.replace(seen)
    if current.state is not state:
        kind = f"device.{state.value.lower()}"
        reason = str(fields.get("reason", ""))
        add_event(unit, services, MANAGER, kind, device.id, reason=reason)
    return seen


def _write_unknown(unit: UnitOfWork, tree: LoadBalancerTree) -> None:
    """Nobody can tell how it does: its device does not answer."""
    owner = tree.loadbalancer
    unit.loadbalancers.replace(replace(owner, operating_status=OperatingStatus.ERROR))


def rows_of(unit: UnitOfWork, record: Resource) -> Rows[Any]:
    """Where records of its kind are."""
    kinds: dict[str, Rows[Any]] = {
        "LoadBalancer": unit.loadbalancers,
        "Listener": unit.listeners,
        "Pool": unit.pools,
        "Member": unit.members,
        "HealthMonitor": unit.monitors,
        "L7Policy": unit.l7policies,
        "L7Rule": unit.l7rules,
    }
    return kinds[type(record).__name__]


def write_all(unit: UnitOfWork, changed: Iterable[Resource]) -> None:
    """Operating statuses, onto what is stored now."""
    for record in changed:
        rows = rows_of(unit, record)
        current = rows.get(record.id)
        if current is not None:
            rows.replace(replace(current, operating_status=record.operating_status))


def _tell(
    unit: UnitOfWork, services: Services, owner: LoadBalancer, kind: str, reason: str = ""
) -> None:
    add_event(unit, services, MANAGER, kind, owner.id, owner.project_id, reason[:MAX_TEXT])
