"""Sends the jobs that are due, each in a thread."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

from libra.daemon.beats import Beat
from libra.manager.sender import Sender
from libra.model.job import Job, JobAction, JobState
from libra.usecases.services import Services

MOST_DUE = 1000

CountWorkers = Callable[[], Counter[str] | None]
"""How many workers each function has; None where no job server answers."""


class Dispatcher:
    """`turn` is called by one thread; `sends` is the beat of those that send."""

    def __init__(
        self,
        services: Services,
        sender: Sender,
        count_workers: CountWorkers,
        concurrent: int,
        sends: Beat,
        sent: Callable[[Job], None],
    ) -> None:
        self._services = services
        self._sender = sender
        self._count_workers = count_workers
        self._concurrent = concurrent
        self._sends = sends
        self._sent = sent
        self._threads = ThreadPoolExecutor(concurrent, thread_name_prefix="job")
        self._lock = threading.Lock()
        self._sending: dict[str, str] = {}  # job: device
        self._stopping = False

    def stop(self) -> None:
        """Send nothing more; what is under way ends by itself."""
        self._stopping = True
        self._threads.shutdown(wait=False, cancel_futures=True)

    def is_sending(self, key: str) -> bool:
        """Whether the job is under way."""
        with self._lock:
            return key in self._sending

    def turn(self, now: datetime) -> None:
        """Those that are due."""
        with self._services.storage.reading() as unit:
            due = unit.jobs.due(now, MOST_DUE)
        if not due:
            return
        workers = self._count_workers()
        for job in due:
            if workers is not None and not workers[job.device_name]:
                self._set_idle(job)
            elif not self._stopping and self._claim(job):
                self._threads.submit(self._send, job)

    def _claim(self, job: Job) -> bool:
        """One UPDATE at a time goes to a device, and no job goes twice."""
        with self._lock:
            full = len(self._sending) >= self._concurrent
            busy = job.action is JobAction.UPDATE and job.device_id in self._sending.values()
            if full or busy or job.id in self._sending:
                return False
            self._sending[job.id] = job.device_id if job.action is JobAction.UPDATE else ""
        return True

    def _send(self, job: Job) -> None:
        left = (job.deadline - self._services.clock()).total_seconds()
        try:
            if not self._stopping:
                with self._sends.turn(max(0.0, left)):
                    self._sender.send(job)
        finally:
            with self._lock:
                self._sending.pop(job.id, None)
            self._sent(job)
            self._services.bell.ring()

    def _set_idle(self, job: Job) -> None:
        if job.state is JobState.IDLE:
            return
        with self._services.storage.writing() as unit:
            waiting = replace(job, state=JobState.IDLE, error="no worker serves this device")
            unit.jobs.change(job.id, waiting, (JobState.NEW, JobState.SCHEDULED))
