"""The fleet as an operator looks at it: who has which part of it, and how long things take. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from libra.model.device import Device, DeviceState
from libra.model.job import OPEN, JobPriority, JobState

RUNS = 10
"""Of how many jobs of a device the time is told."""


@dataclass(frozen=True, slots=True)
class Run:
    """A job that its device has answered: when it was sent last, and when its reply was settled."""

    device_id: str
    sent_at: datetime
    ended_at: datetime

    @property
    def seconds(self) -> float:
        """A clock that was set back between the two makes no time negative."""
        return max(0.0, (self.ended_at - self.sent_at).total_seconds())


@dataclass(frozen=True, slots=True)
class Share:
    """A project that has something on a device: load balancers, or nodes of web clusters."""

    device_id: str
    pool_id: str
    project_id: str
    parts: int


@dataclass(frozen=True, slots=True)
class JobQuestion:
    """Which jobs a word means."""

    states: Collection[JobState]
    priority: JobPriority | None = None


JOBS: Mapping[str, JobQuestion] = {
    "new": JobQuestion((JobState.NEW,)),
    "sched": JobQuestion((JobState.SCHEDULED,)),
    "high": JobQuestion(OPEN, JobPriority.HIGH),
    "idle": JobQuestion((JobState.IDLE,)),
    "running": JobQuestion((JobState.RUNNING,)),
    "complete": JobQuestion((JobState.COMPLETE,)),
    "held": JobQuestion((JobState.HELD,)),
    "failed": JobQuestion((JobState.FAILED,)),
    "expired": JobQuestion((JobState.EXPIRED,)),
    "cancelled": JobQuestion((JobState.CANCELLED,)),
    "superseded": JobQuestion((JobState.SUPERSEDED,)),
    "all": JobQuestion(frozenset(JobState)),
}
"""The words of the REST path /jobs, by which an operator asks."""

STATUSES: Mapping[DeviceState, str] = {
    DeviceState.ANNOUNCED: "Announced",
    DeviceState.BUILDING: "Starting",
    DeviceState.SPARE: "Running",
    DeviceState.ASSIGNED: "Running",
    DeviceState.DRAINING: "Running",
    DeviceState.ERROR: "Error",
    DeviceState.RETIRED: "Shutdown",
}
"""A scheduler's words for the states of devices."""
RETIRING = "Retiring"


def status_of(device: Device) -> str:
    """In a scheduler's words, without what stands above it."""
    return "Shutdown" if device.stopped else STATUSES[device.state]


def override_of(device: Device) -> str | None:
    """What an operator, or the keeper, has put above its state."""
    draining = device.state is DeviceState.DRAINING
    return RETIRING if draining or device.shutting_down else None


def count_statuses(devices: Iterable[Device]) -> Counter[str]:
    """What is shown of each."""
    return Counter(override_of(device) or status_of(device) for device in devices)


def startup_of(device: Device) -> float | None:
    """Seconds from its record to its first answer; None where that is not known, or still to come."""
    if device.first_seen is None:
        return None
    return max(0.0, (device.first_seen - device.created_at).total_seconds())
