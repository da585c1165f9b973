"""The job: one message to one device, with a state, a deadline and a reply."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class JobState(Enum):
    """How far it is."""

    NEW = "new"
    SCHEDULED = "scheduled"  # the manager has it, and sends it when its turn or its time comes
    IDLE = "idle"  # no worker serves the function
    RUNNING = "running"  # at the job server, or at the worker
    HELD = "held"  # on request, until released
    COMPLETE = "complete"
    FAILED = "failed"
    EXPIRED = "expired"  # its deadline passed
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"  # a newer one carries what it would have carried

    @property
    def is_final(self) -> bool:
        """True where nothing follows, unless it is retried."""
        return self in FINAL


FINAL = frozenset(
    {
        JobState.COMPLETE,
        JobState.FAILED,
        JobState.EXPIRED,
        JobState.CANCELLED,
        JobState.SUPERSEDED,
    }
)
OPEN = frozenset(JobState) - FINAL
WAITING = (JobState.NEW, JobState.SCHEDULED, JobState.IDLE)
"""Not on its way yet, and nobody holds it."""


class JobAction(Enum):
    """What is sent; the names are the protocol's."""

    UPDATE = "UPDATE"
    DELETE = "DELETE"
    DISCOVER = "DISCOVER"
    ARCHIVE = "ARCHIVE"
    STATS = "STATS"


class JobPriority(Enum):
    """The three queues of a job server. An operator's jobs go high."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A record of the outbox: stored with the change that it carries, sent afterwards, at least once.

    What an UPDATE holds is made when it is sent, from what is stored then, so a waiting one always carries the newest
    state; `message` is the message that was sent last, or the parameters of another action, secrets masked. `sealed`
    holds secrets that have to be sent, encrypted ("" where there are none), and is emptied once the job is final.
    `generation` is the device's when the change was stored. `loadbalancer_id` is the load balancer that was changed;
    `alone` keeps every other pending load balancer out of the message, to find the one that is refused.
    `object_store_account` is the account whose token is in `sealed`. `not_before` holds back a retry, `sent_at` is when
    it was sent last, None where it never was. `error` says why it failed, `reply` is the worker's, masked.
    """

    id: str
    action: JobAction
    device_id: str
    device_name: str
    state: JobState = JobState.NEW
    priority: JobPriority = JobPriority.NORMAL
    project_id: str | None = None
    loadbalancer_id: str | None = None
    generation: int = 0
    alone: bool = False
    object_store_account: str | None = None
    attempts: int = 0
    created_at: datetime
    updated_at: datetime
    deadline: datetime
    not_before: datetime | None = None
    sent_at: datetime | None = None
    requested_by: str = ""
    request_id: str = ""
    message: str = ""
    sealed: str = ""
    reply: str = ""
    error: str = ""
