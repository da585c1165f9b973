"""Why something has no device, or a pool no host: written down when it happens, shown while it lasts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from libra.errors import StorageUnavailable
from libra.model.access import Caller
from libra.model.device import Device, DeviceState
from libra.model.event import Event
from libra.model.fairness import Distribution, distribute, find_limited
from libra.model.job import Job
from libra.storage.base import UnitOfWork
from libra.storage.query import Query, Since
from libra.usecases.adminmaps import limits_of
from libra.usecases.outbox import add_event
from libra.usecases.services import Services

REFUSED = "placement.refused"
"""The subject is the project, cut to what an event's subject may have."""
BOOT_FAILED = "devicepool.boot_failed"
NEVER_ONLINE = "devicepool.never_online"
"""The subject of both is the pool."""
QUIET = timedelta(minutes=10)
"""For how long the same is not said again of the same thing."""
MOST = 20
"""How many different things are said of it in that time."""
SHOWN_FOR = timedelta(days=1)
MOST_SHOWN = 1000
SUBJECT = 64  # characters of an event's subject


def note_failure(
    services: Services,
    caller: Caller,
    kind: str,
    subject_id: str,
    reason: str,
    project_id: str | None = None,
) -> None:
    """An event, unless it was said lately: who tries again and again, under ever new names too, fills no table.

    Nothing where the database does not answer: it is told while another failure is, which counts more.
    """
    subject, now = subject_id[:SUBJECT], services.clock()
    lately = {"subject_id": subject, "kind": kind, "at": Since(now - QUIET)}

    def is_known(unit: UnitOfWork) -> bool:
        known = [event.reason for event in unit.events.since(0, limit=MOST, where=lately)]
        return reason in known or len(known) >= MOST

    try:
        if services.storage.look(is_known):
            return
        with services.storage.writing() as unit:
            unit.hold(f"failure {kind} {subject}")
            if not is_known(unit):
                add_event(unit, services, caller, kind, subject, project_id, reason)
    except StorageUnavailable:
        return


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What happened to whom, last when; `subject` is a project's name or a pool's, `device` a device's, or ""."""

    subject: str
    reason: str
    at: datetime
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootFailures:
    """Projects that got no device, and pools that got no host."""

    placements: Sequence[Failure]
    pools: Sequence[Failure]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFailures:
    """Per pool: hosts that never came online, and devices whose release refuses what it shall run."""

    never_online: Sequence[Failure]
    refused: Sequence[tuple[Failure, str]]
    """With the device's release and proxy."""


def list_boot_failures(services: Services) -> BootFailures:
    """Of the last day; of a project until it gets one, of a pool until one of its hosts comes online."""
    since = services.clock() - SHOWN_FOR
    with services.storage.reading() as unit:
        refused = _newest(_events(unit, REFUSED, since))
        placed = unit.overview.placed({event.project_id or event.subject_id for event in refused})
        failed = _newest(_events(unit, BOOT_FAILED, since))
        names = _pool_names(unit)
        came = unit.overview.came()
    return BootFailures(
        placements=[
            Failure(subject=event.project_id or event.subject_id, reason=event.reason, at=event.at)
            for event in refused
            if not _is_over(placed.get(event.project_id or event.subject_id), event.at)
        ],
        pools=[
            Failure(subject=names[event.subject_id], reason=event.reason, at=event.at)
            for event in failed
            if event.subject_id in names and not _is_over(came.get(event.subject_id), event.at)
        ],
    )


def list_waiting(unit: UnitOfWork, now: datetime) -> frozenset[str]:
    """Projects that got no device since they got one last."""
    refused = _newest(_events(unit, REFUSED, now - SHOWN_FOR))
    last = {event.project_id or event.subject_id: event.at for event in reversed(refused)}
    placed = unit.overview.placed(last)
    return frozenset(name for name, at in last.items() if not _is_over(placed.get(name), at))


def distribute_devices(services: Services) -> Distribution:
    """Who has which share of the devices, and who should: those that got none lately want one, too."""
    with services.storage.reading() as unit:
        shares = unit.overview.shares()
        waiting = list_waiting(unit, services.clock())
        limits = limits_of(unit)
    return distribute(shares, waiting, find_limited(shares, limits))


def list_image_failures(services: Services) -> ImageFailures:
    """Of the last day."""
    since = services.clock() - SHOWN_FOR
    with services.storage.reading() as unit:
        lost = _newest(_events(unit, NEVER_ONLINE, since))
        refused = unit.overview.refused(since, MOST_SHOWN)
        names = _pool_names(unit)
        named = Query(where={"id": {job.device_id for job in refused}})
        devices = {item.id: item for item in unit.devices.find(named)} if refused else {}
        silent = unit.devices.find(Query(where={"state": DeviceState.ERROR, "last_seen": None}))
    never = [
        Failure(subject=names[event.subject_id], reason=event.reason, at=event.at)
        for event in lost
        if event.subject_id in names
    ]
    never += [_silent(device, names) for device in silent]
    newest = {job.device_id: job for job in reversed(refused)}.values()
    return ImageFailures(
        never_online=never,
        refused=[
            _refused(job, devices[job.device_id], names)
            for job in newest
            if job.device_id in devices
        ],
    )


def _silent(device: Device, names: Mapping[str, str]) -> Failure:
    return Failure(
        subject=names.get(device.pool_id, device.pool_id),
        device=device.name,
        reason=device.reason or "it has never answered",
        at=device.failing_since or device.created_at,
    )


def _refused(job: Job, device: Device, names: Mapping[str, str]) -> tuple[Failure, str]:
    failure = Failure(
        subject=names.get(device.pool_id, device.pool_id),
        device=device.name,
        reason=job.error,
        at=job.updated_at,
    )
    return failure, " ".join(filter(None, (device.release, device.proxy))) or "unknown"


def _events(unit: UnitOfWork, kind: str, since: datetime) -> list[Event]:
    return unit.overview.events(kind, since, MOST_SHOWN)


def _newest(events: Sequence[Event]) -> list[Event]:
    """One a subject and reason, the newest first, as they come."""
    found: dict[tuple[str, str], Event] = {}
    for event in events:
        found.setdefault((event.subject_id, event.reason), event)
    return list(found.values())


def _is_over(success: datetime | None, failure: datetime) -> bool:
    return success is not None and success > failure


def _pool_names(unit: UnitOfWork) -> dict[str, str]:
    return {pool.id: pool.name for pool in unit.device_pools.find()}
