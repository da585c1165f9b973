"""What the manager does about once a second for jobs and load balancers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from libra.daemon.loop import Guard, Singly
from libra.manager.pace import Pace
from libra.manager.settle import finish_job, mark_error, repair
from libra.model.job import OPEN, Job, JobState
from libra.model.resources.loadbalancer import NOOP, LoadBalancer
from libra.model.status import PENDING, ProvisioningStatus
from libra.storage.base import UnitOfWork, device_lock
from libra.storage.query import Query
from libra.usecases.rollouts import prune_rollouts
from libra.usecases.services import Services

LONGEST_REPAIR_SECONDS = 300.0
PRUNE_EVERY = timedelta(hours=1)
PRUNE_MOST = 1000  # rows of a kind in one transaction
UNANSWERED = "its device did not confirm it in time"


@dataclass(frozen=True, slots=True)
class Guards:
    """Of the steps that do something to each of many."""

    jobs: Guard
    late: Guard
    repair: Guard


class Chores:
    """Each method is a step. `is_sending` tells whether a job is on its way from here."""

    def __init__(
        self, services: Services, pace: Pace, is_sending: Callable[[str], bool], guards: Guards
    ) -> None:
        self._services = services
        self._pace = pace
        self._is_sending = is_sending
        self._jobs = Singly(guards.jobs)
        self._late = Singly(guards.late)
        self._repair = Singly(guards.repair)
        self._repairs: dict[str, tuple[float, datetime]] = {}  # pause, and when next
        self._prune_at = services.clock()

    def keep_jobs(self, now: datetime) -> None:
        """Jobs of a manager that is gone are sent again, and those that were not answered in time end."""
        with self._services.storage.writing() as unit:
            self._take_up(unit)
            overdue = unit.jobs.overdue(now)
            unit.jobs.schedule(now)  # what could not be sent at once
        self._jobs.each(overdue, lambda job: job.id, self._expire)

    def _take_up(self, unit: UnitOfWork) -> None:
        """A worker does nothing twice."""
        for job in unit.jobs.find(Query(where={"state": JobState.RUNNING})):
            if not self._is_sending(job.id):
                unit.jobs.change(job.id, replace(job, state=JobState.NEW), (JobState.RUNNING,))

    def _expire(self, job: Job) -> None:
        reason = job.error or "its deadline passed"
        with self._services.storage.writing() as unit:
            finish_job(unit, self._services, job, JobState.EXPIRED, error=reason)

    def end_late(self, now: datetime) -> None:
        """Pending ones whose time is over are in ERROR."""
        self._late.each(self._find_late(now), lambda owner: owner.id, self._end_late)

    def _find_late(self, now: datetime) -> list[LoadBalancer]:
        with self._services.storage.reading() as unit:
            pending = unit.loadbalancers.find(Query(where={"provisioning_status": list(PENDING)}))
            return [owner for owner in pending if self._is_late(unit, owner, now)]

    def _is_late(self, unit: UnitOfWork, owner: LoadBalancer, now: datetime) -> bool:
        """Whether the job that was stored with its change is past its deadline; it may be another's by now."""
        if owner.provider == NOOP:
            return False
        where = {"loadbalancer_id": owner.id, "generation": owner.generation, "alone": False}
        jobs = unit.jobs.find(Query(where=where))
        return not any(job.deadline > now for job in jobs)

    def _end_late(self, owner: LoadBalancer) -> None:
        with self._services.storage.writing() as unit:
            unit.hold(device_lock(owner.device_id or ""))
            tree = unit.loadbalancers.tree(owner.id)
            if tree is not None and tree.loadbalancer == owner:  # nothing happened meanwhile
                mark_error(unit, self._services, tree, UNANSWERED)

    def repair(self, now: datetime) -> None:
        """Those in ERROR are tried again, ever more rarely."""
        due = self._find_repairs(now)
        self._repair.each(due, lambda owner: owner.id, lambda owner: self._repair_one(owner, now))

    def _find_repairs(self, now: datetime) -> list[LoadBalancer]:
        """Those in ERROR whose turn it is."""
        where = {"provisioning_status": ProvisioningStatus.ERROR}
        with self._services.storage.reading() as unit:
            faulty = {owner.id: owner for owner in unit.loadbalancers.find(Query(where=where))}
        first = self._pace.repair
        kept = {key: item for key, item in self._repairs.items() if key in faulty}
        new = {key: (first.total_seconds(), now + first) for key in faulty if key not in kept}
        self._repairs = {**kept, **new}
        return [owner for key, owner in faulty.items() if self._repairs[key][1] <= now]

    def _repair_one(self, owner: LoadBalancer, now: datetime) -> None:
        with self._services.storage.writing() as unit:
            unit.hold(device_lock(owner.device_id or ""))
            open_jobs = {"loadbalancer_id": owner.id, "state": list(OPEN)}
            device = unit.devices.get(owner.device_id) if owner.device_id else None
            if device is None or unit.jobs.count(open_jobs):
                return
            repair(unit, self._services, device, owner)
        pause = min(2 * self._repairs[owner.id][0], LONGEST_REPAIR_SECONDS)
        self._repairs[owner.id] = (pause, now + timedelta(seconds=pause))

    def prune(self, now: datetime) -> None:
        """Some at a time, so that nobody who writes waits long; what is left goes with the next chores."""
        if now < self._prune_at:
            return
        with self._services.storage.writing() as unit:
            gone = (
                unit.events.prune(now - self._pace.keep_events, PRUNE_MOST),
                unit.jobs.prune(now - self._pace.keep_jobs, PRUNE_MOST),
            )
            prune_rollouts(unit, now - self._pace.keep_rollouts)
        if max(gone) < PRUNE_MOST:
            self._prune_at = now + PRUNE_EVERY
