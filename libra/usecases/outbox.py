"""Jobs that are stored with the change that they carry."""

from datetime import timedelta

from libra.model.access import Caller
from libra.model.device import Device
from libra.model.event import Event
from libra.model.job import Job, JobAction, JobPriority
from libra.storage.base import UnitOfWork
from libra.usecases.services import Services, new_id


def add_update(
    unit: UnitOfWork,
    services: Services,
    caller: Caller,
    device: Device,
    *,
    generation: int,
    loadbalancer_id: str | None = None,
    project_id: str | None = None,
    priority: JobPriority = JobPriority.NORMAL,
    alone: bool = False,
) -> Job:
    """An UPDATE of the device, in place of older ones that still wait."""
    job = build_job(
        services,
        caller,
        device,
        JobAction.UPDATE,
        services.limits.job_deadline,
        generation=generation,
        loadbalancer_id=loadbalancer_id,
        project_id=project_id,
        priority=priority,
        alone=alone,
    )
    unit.jobs.add(job)
    if not alone:
        unit.jobs.supersede(device.id, generation, job.id)
    return job


def build_job(
    services: Services,
    caller: Caller,
    device: Device,
    action: JobAction,
    within: timedelta,
    **fields: object,
) -> Job:
    """Not stored yet."""
    now = services.clock()
    return Job(
        id=new_id(),
        action=action,
        device_id=device.id,
        device_name=device.name,
        created_at=now,
        updated_at=now,
        deadline=now + within,
        requested_by=caller.name,
        request_id=caller.request_id,
        **fields,  # type: ignore[arg-type]
    )


def add_event(
    unit: UnitOfWork,
    services: Services,
    caller: Caller,
    kind: str,
    subject_id: str,
    project_id: str | None = None,
    reason: str = "",
) -> None:
    """What happened, and who did it."""
    unit.events.add(
        Event(
            at=services.clock(),
            kind=kind,
            subject_id=subject_id,
            project_id=project_id,
            actor=caller.name,
            reason=reason,
            request_id=caller.request_id,
            remote=caller.remote,
            comment=caller.comment,
        )
    )
