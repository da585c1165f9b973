"""Workers that say that they are there become devices, or wait until an operator approves them."""

from dataclasses import replace
from datetime import UTC, datetime

import structlog

from libra.errors import Conflict
from libra.messages.announcement import Announcement
from libra.model.access import Caller, Role
from libra.model.device import DEFAULT_POOL, Device, DeviceState
from libra.storage.base import UnitOfWork
from libra.storage.query import Query
from libra.usecases.outbox import add_event
from libra.usecases.services import Services, new_id

log = structlog.get_logger(__name__)

WORKER = Caller(name="announcement", role=Role.OPERATOR)
MOST_WAITING = 10_000  # unknown ones: whoever reaches a job server can make them up


def take_in(services: Services, told: Announcement) -> None:
    """A new device, or what is new about a known one; most of the time nothing. Raises `Conflict` where it is full."""
    known = services.storage.look(lambda unit: unit.devices.by_name(told.name))
    started = datetime.fromtimestamp(told.started, UTC)
    if known is None:
        _meet(services, told, started)
    elif _has_news(known, told, started):
        _note(services, known, told, started)


def _meet(services: Services, told: Announcement, started: datetime) -> None:
    with services.storage.writing() as unit:
        unit.hold(announced(told.name))
        if unit.devices.by_name(told.name) is not None:
            return
        pools = unit.device_pools.find(Query(where={"name": told.pool}))
        enrolled = bool(pools) and pools[0].auto_enroll
        if not enrolled and unit.devices.count({"state": DeviceState.ANNOUNCED}) >= MOST_WAITING:
            raise Conflict(
                f"cannot take in '{told.name}': {MOST_WAITING} devices wait for approval already"
            )
        device = Device(
            id=new_id(),
            name=told.name,
            address=told.address,
            pool_id=pools[0].id if pools else DEFAULT_POOL,
            state=DeviceState.BUILDING if enrolled else DeviceState.ANNOUNCED,
            release=told.release,
            proxy=told.proxy,
            created_at=services.clock(),
            announced_at=services.clock(),
            started_at=started,
        )
        unit.devices.add(device)
        reason = "it is enrolled" if enrolled else "it waits for approval"
        if not pools:
            reason = f"{reason}; there is no device pool '{told.pool}'"
        _tell(unit, services, device, reason)
    log.info("a new device", action="announce", device=told.name, outcome=reason)
    services.bell.ring()


def announced(name: str) -> str:
    """The name to hold by whoever makes a device of this one."""
    return f"announced {name}"


def _has_news(known: Device, told: Announcement, started: datetime) -> bool:
    if known.started_at != started:
        return True
    return known.state is DeviceState.ANNOUNCED and known.release != told.release


def _note(services: Services, known: Device, told: Announcement, started: datetime) -> None:
    """It was started again. Where traffic reaches it is not taken from an announcement once there is an address."""
    with services.storage.writing() as unit:
        device = unit.devices.get(known.id)
        if device is None:
            return
        changed = replace(
            device,
            announced_at=services.clock(),
            started_at=started,
            address=device.address or told.address,
        )
        if device.state is DeviceState.ANNOUNCED:
            changed = replace(changed, release=told.release, proxy=told.proxy)
        unit.devices.replace(changed)
        if device.started_at is not None:
            add_event(unit, services, WORKER, "device.restarted", device.id)


def _tell(unit: UnitOfWork, services: Services, device: Device, reason: str) -> None:
    kind = f"device.{device.state.value.lower()}"
    add_event(unit, services, WORKER, kind, device.id, reason=f"'{device.name}': {reason}")
