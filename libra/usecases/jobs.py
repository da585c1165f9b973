"""Jobs: looked at, held, released, cancelled, tried again."""

from dataclasses import replace
from enum import Enum

from libra.errors import Conflict, NotFound
from libra.model.access import Caller
from libra.model.job import WAITING, Job, JobState
from libra.storage.query import Query
from libra.usecases.outbox import add_event
from libra.usecases.services import Services


class Order(Enum):
    """What a person may do to a job."""

    HOLD = "hold"
    RELEASE = "release"
    CANCEL = "cancel"
    RETRY = "retry"


ORDERS: dict[Order, tuple[tuple[JobState, ...], JobState]] = {
    Order.HOLD: (WAITING, JobState.HELD),
    Order.RELEASE: ((JobState.HELD,), JobState.NEW),
    Order.CANCEL: ((*WAITING, JobState.HELD), JobState.CANCELLED),
    Order.RETRY: (
        (JobState.FAILED, JobState.EXPIRED, JobState.CANCELLED),
        JobState.NEW,
    ),
}
"""From where, and into what. A job that is on its way can only be waited for."""


def find_job(services: Services, key: str) -> Job:
    """Raises `NotFound`."""
    job = services.storage.look(lambda unit: unit.jobs.get(key))
    if job is None:
        raise NotFound(f"Job {key} not found.")
    return job


def list_jobs(services: Services, query: Query) -> list[Job]:
    """A page."""
    with services.storage.reading() as unit:
        return unit.jobs.find(query)


def order_job(services: Services, caller: Caller, key: str, order: Order) -> Job:
    """Raises `Conflict` in a state that does not allow it."""
    allowed, into = ORDERS[order]
    with services.storage.writing() as unit:
        job = unit.jobs.get(key)
        if job is None:
            raise NotFound(f"Job {key} not found.")
        now = services.clock()
        changed = replace(job, state=into, updated_at=now)
        if into is JobState.CANCELLED:  # its secrets are not needed any more
            changed = replace(changed, sealed="")
        if into is JobState.NEW:  # a person asks for it now
            changed = replace(changed, not_before=None)
        if order is Order.RETRY:
            changed = replace(changed, deadline=now + (job.deadline - job.created_at), error="")
        if job.sealed == "" and order is Order.RETRY and "ARCHIVE" in job.action.value:
            raise Conflict(f"cannot retry job {key}: its token is not kept; send it anew")
        if not unit.jobs.change(key, changed, allowed):
            raise Conflict(f"cannot {order.value} job {key} while it is {job.state.value}")
        add_event(unit, services, caller, f"job.{order.value}", key)
    services.bell.ring()
    return changed
