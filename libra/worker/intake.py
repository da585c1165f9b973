"""Intake: one job source and the thread that takes from it."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from libra.jobs.base import JobSource, TakenJob

log = structlog.get_logger(__name__)

TAKE_SECONDS = 1.0
PAUSE_SECONDS = 1.0
JOIN_SECONDS = 5.0


class Intake:
    """Hands every job of a source to `accept`, in arrival order, until it is retired.

    `accept(job, release)` may block: that is what holds back the source while the lanes are full. `release` is to
    be called once the job is answered.
    """

    def __init__(
        self, source: JobSource, accept: Callable[[TakenJob, Callable[[], None]], None]
    ) -> None:
        self._source = source
        self._accept = accept
        self._lock = threading.Lock()
        self._held = 0
        self._retired = threading.Event()
        self._taking_since: float | None = None
        self._thread = threading.Thread(target=self._take_all, name="intake", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """True where it is retired and every job it took is answered."""
        with self._lock:
            return self._held == 0 and not self._thread.is_alive()

    def connected(self) -> int:
        """How many job servers it is registered at."""
        return self._source.connected()

    def heard(self) -> float:
        """When a job server last said something, by `time.monotonic`."""
        return self._source.heard()

    def stuck_for(self) -> timedelta:
        """How long the source has not come back from one `take`."""
        since = self._taking_since
        return timedelta(seconds=0 if since is None else time.monotonic() - since)

    def retire(self) -> None:
        """Unregister and take no more; held jobs can still be answered. Twice is harmless."""
        if not self._retired.is_set():
            self._retired.set()
            self._source.drain()

    def close(self) -> None:
        """Let go of the servers: they give every job that is still held to somebody else."""
        self.retire()
        self._source.close()
        self._thread.join(JOIN_SECONDS)

    def _take_all(self) -> None:
        while not self._retired.is_set():
            try:
                self._take_one()
            except Exception:
                log.exception("cannot take a job", action="take")
                self._retired.wait(PAUSE_SECONDS)

    def _take_one(self) -> None:
        self._taking_since = time.monotonic()
        try:
            job = self._source.take(TAKE_SECONDS)
        finally:
            self._taking_since = None
        if job is not None:
            with self._lock:
                self._held += 1
            self._accept(job, self._release)

    def _release(self) -> None:
        with self._lock:
            self._held -= 1
