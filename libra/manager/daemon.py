"""The manager: one loop that looks what is due, and threads that do it."""

import threading
import zlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from libra.errors import StorageUnavailable
from libra.jobs.base import JobClient
from libra.manager.keeper import FleetKeeper
from libra.manager.noop import provision_noops
from libra.manager.poolkeeper import OpenProvider, PoolKeeper, no_provider
from libra.manager.prober import Prober
from libra.manager.sender import Sender
from libra.manager.settle import finish_job, mark_error, repair
from libra.manager.webmonitor import WebMonitor
from libra.model.device import WATCHED, Device
from libra.model.job import OPEN, Job, JobAction, JobState
from libra.model.resources.loadbalancer import NOOP, LoadBalancer
from libra.model.status import PENDING, ProvisioningStatus
from libra.model.webplan import Pace as WebPace
from libra.storage.base import Lease, UnitOfWork, device_lock
from libra.storage.fences import FencedStorage
from libra.storage.query import Query
from libra.usecases.services import Services

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
CHORES_SECONDS = 1.0
DEVICES_SECONDS = 0.25  # between two looks at all devices: the bell may ring much more often
MOVING_SECONDS = 0.05  # while a web cluster goes from node to node
WATCHED_A_SECOND = 2000  # devices; so those of a small fleet are read each time
PRUNE_EVERY = timedelta(hours=1)
PRUNE_MOST = 1000  # rows of a kind in one transaction
MOST_DUE = 1000
LONGEST_REPAIR_SECONDS = 300.0
STOP_SECONDS = 30.0
UNANSWERED = "its device did not confirm it in time"

CountWorkers = Callable[[], Counter[str] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often, how many, how long."""

    probe: timedelta = timedelta(seconds=10)
    probe_deadline: timedelta = timedelta(seconds=5)
    repair: timedelta = timedelta(seconds=5)
    concurrent: int = 256
    web: WebPace = field(default_factory=WebPace)
    keep_jobs: timedelta = timedelta(days=30)
    keep_events: timedelta = timedelta(days=90)


class Manager:
    """Started and stopped by its owner; `beat` tells when its loop last turned, also where another one manages.

    `count_workers` tells how many workers each function has, or None where no job server answers.
    """

    def __init__(
        self,
        services: Services,
        lease: Lease,
        client: JobClient,
        count_workers: CountWorkers,
        pace: Pace,
        open_provider: OpenProvider = no_provider,
    ) -> None:
        services = replace(services, storage=FencedStorage(services.storage, lease))
        self._services = services
        self._lease = lease
        self._count_workers = count_workers
        self._pace = pace
        self._sender = Sender(services, client)
        self._prober = Prober(services, client, pace.probe_deadline.total_seconds())
        self._keeper = FleetKeeper(services, pace.probe)
        self._pool_keeper = PoolKeeper(services, open_provider)
        self._web_monitor = WebMonitor(services, pace.web)
        self._jobs = ThreadPoolExecutor(pace.concurrent, thread_name_prefix="job")
        self._probes = ThreadPoolExecutor(min(64, pace.concurrent), thread_name_prefix="probe")
        self._lock = threading.Lock()
        self._sending: dict[str, str] = {}  # job: device
        self._probing: set[str] = set()
        self._probe_at: dict[str, datetime] = {}
        self._watched: list[tuple[Device, timedelta]] = []  # and how often they are probed
        self._repairs: dict[str, tuple[float, datetime]] = {}  # pause, and when next
        self._chores_at = self._prune_at = self._devices_at = services.clock()
        self._watched_until = self._devices_at
        self._moving = False  # some web cluster goes from node to node
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="manager")
        self.manages: bool | None = None  # not known yet
        self.beat: datetime | None = None

    def start(self) -> None:
        """Begin; what another manager has left half done is taken up."""
        self._thread.start()

    def stop(self) -> None:
        """Send nothing more, and wait for what is under way; what does not end comes again with the next manager."""
        self._stopping.set()
        self._services.bell.ring()
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)
        self._lease.release()
        self._pool_keeper.stop()
        self._jobs.shutdown(wait=False, cancel_futures=True)
        self._probes.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if self._may_manage():
                    self.turn()
                self.beat = self._services.clock()
            except StorageUnavailable as error:
                log.warning("the database does not answer", action="manage", error=str(error))
                self._stopping.wait(CHORES_SECONDS)
            except Exception:
                log.exception("internal error", action="manage")
                self._stopping.wait(CHORES_SECONDS)
            self._services.bell.wait(LOOK_SECONDS)

    def _may_manage(self) -> bool:
        """One manager at a time: two would do no harm, but send everything twice."""
        may = self._lease.hold()
        if may is not self.manages:
            self.manages = may
            if may:
                log.info("this controller manages", action="manage")
            else:
                log.warning(
                    "another controller manages; this one serves the API and stands by",
                    action="manage",
                    holder=self._lease.holder,
                )
        return may

    def turn(self) -> None:
        """One look, and what follows from it."""
        now = self._services.clock()
        if now >= self._chores_at:
            self._chores_at = now + timedelta(seconds=CHORES_SECONDS)
            self._do_chores(now)
        provision_noops(self._services)
        self._dispatch(now)
        if now >= self._devices_at:
            self._keeper.finish_moves()
            self._moving = self._web_monitor.turn(now)
            self._probe_due(now)
            pause = MOVING_SECONDS if self._moving else DEVICES_SECONDS
            self._devices_at = now + timedelta(seconds=pause)

    # Chores.

    def _do_chores(self, now: datetime) -> None:
        with self._lock:
            sending = set(self._sending)
        with self._services.storage.writing() as unit:
            self._take_up(unit, sending)
            for job in unit.jobs.overdue(now):
                reason = job.error or "its deadline passed"
                finish_job(unit, self._services, job, JobState.EXPIRED, error=reason)
            unit.jobs.schedule(now)  # what could not be sent at once
        for owner in self._find_late(now):
            self._end_late(owner)
        for owner in self._find_repairs(now):
            self._repair(owner, now)
        self._keeper.turn(now)
        self._pool_keeper.turn(now)
        if now >= self._prune_at:
            self._prune(now)

    def _prune(self, now: datetime) -> None:
        """Some at a time, so that nobody who writes waits long; what is left goes with the next chores."""
        with self._services.storage.writing() as unit:
            gone = (
                unit.events.prune(now - self._pace.keep_events, PRUNE_MOST),
                unit.jobs.prune(now - self._pace.keep_jobs, PRUNE_MOST),
            )
        if max(gone) < PRUNE_MOST:
            self._prune_at = now + PRUNE_EVERY

    def _take_up(self, unit: UnitOfWork, sending: set[str]) -> None:
        """Jobs of a manager that is gone are sent again: a worker does nothing twice."""
        for job in unit.jobs.find(Query(where={"state": JobState.RUNNING})):
            if job.id not in sending and not self._is_sending(job.id):
                unit.jobs.change(job.id, replace(job, state=JobState.NEW), (JobState.RUNNING,))

    def _find_late(self, now: datetime) -> list[LoadBalancer]:
        """Pending ones whose time is over."""
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

    def _repair(self, owner: LoadBalancer, now: datetime) -> None:
        with self._services.storage.writing() as unit:
            unit.hold(device_lock(owner.device_id or ""))
            open_jobs = {"loadbalancer_id": owner.id, "state": list(OPEN)}
            device = unit.devices.get(owner.device_id) if owner.device_id else None
            if device is None or unit.jobs.count(open_jobs):
                return
            repair(unit, self._services, device, owner)
        pause = min(2 * self._repairs[owner.id][0], LONGEST_REPAIR_SECONDS)
        self._repairs[owner.id] = (pause, now + timedelta(seconds=pause))

    # Jobs.

    def _dispatch(self, now: datetime) -> None:
        with self._services.storage.reading() as unit:
            due = unit.jobs.due(now, MOST_DUE)
        if not due:
            return
        workers = self._count_workers()
        for job in due:
            if workers is not None and not workers[job.device_name]:
                self._set_idle(job)
            elif self._claim(job):
                self._jobs.submit(self._send, job)

    def _claim(self, job: Job) -> bool:
        """One UPDATE at a time goes to a device, and no job goes twice."""
        with self._lock:
            full = len(self._sending) >= self._pace.concurrent
            busy = job.action is JobAction.UPDATE and job.device_id in self._sending.values()
            if full or busy or job.id in self._sending:
                return False
            self._sending[job.id] = job.device_id if job.action is JobAction.UPDATE else ""
        return True

    def _is_sending(self, key: str) -> bool:
        with self._lock:
            return key in self._sending

    def _send(self, job: Job) -> None:
        try:
            if not self._stopping.is_set():
                self._sender.send(job)
        finally:
            with self._lock:
                self._sending.pop(job.id, None)
                self._probe_at[job.device_id] = self._services.clock()  # how does it do now?
            self._services.bell.ring()

    def _set_idle(self, job: Job) -> None:
        if job.state is JobState.IDLE:
            return
        with self._services.storage.writing() as unit:
            waiting = replace(job, state=JobState.IDLE, error="no worker serves this device")
            unit.jobs.change(job.id, waiting, (JobState.NEW, JobState.SCHEDULED))

    # Probes.

    def _probe_due(self, now: datetime) -> None:
        self._renew_watched(now)
        for device, every in self._watched:
            with self._lock:
                due = self._probe_at.get(device.id)
                if due is None:
                    due = now + _phase(device, every, now)
                    self._probe_at[device.id] = due
                if due > now or device.id in self._probing:
                    continue
                self._probing.add(device.id)
                self._probe_at[device.id] = now + every
            self._probes.submit(self._probe, device, every)

    def _renew_watched(self, now: datetime) -> None:
        """The more there are, the more rarely: reading ten thousand takes a while."""
        if now < self._watched_until:
            return
        with self._services.storage.reading() as unit:
            devices = unit.devices.find(Query(where={"state": WATCHED}))
            paces = {
                pool.id: timedelta(seconds=pool.probe_seconds)
                for pool in unit.device_pools.find()
                if pool.probe_seconds is not None
            }
        self._watched = [(item, paces.get(item.pool_id, self._pace.probe)) for item in devices]
        self._watched_until = now + timedelta(seconds=len(devices) / WATCHED_A_SECOND)

    def _probe(self, device: Device, every: timedelta) -> None:
        try:
            if not self._stopping.is_set():
                self._prober.probe(device, every.total_seconds())
        finally:
            with self._lock:
                self._probing.discard(device.id)
            if self._moving:
                self._services.bell.ring()


def _phase(device: Device, every: timedelta, now: datetime) -> timedelta:
    """How long the first probe of a manager waits: not all at once, but at once where something is to be found out."""
    if not device.is_ready or device.misses or device.last_seen is None:
        return timedelta()
    due = max(timedelta(), device.last_seen + every - now)
    return min(due, zlib.crc32(device.id.encode()) % 1000 / 1000 * every)
