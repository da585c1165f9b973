"""Takes the announcements of workers from the job servers; every controller has one."""

import threading
from collections.abc import Callable

import structlog

from libra.errors import LibraError
from libra.jobs.base import JobSource, TakenJob
from libra.messages.announcement import parse_announcement
from libra.usecases.announcements import take_in
from libra.usecases.services import Services

log = structlog.get_logger(__name__)

TAKE_SECONDS = 0.5
PAUSE_SECONDS = 1.0
STOP_SECONDS = 5.0


class Reception:
    """Its owner starts and stops it. `open_source` registers the controllers' function; raises `LibraError`."""

    def __init__(self, services: Services, open_source: Callable[[], JobSource]) -> None:
        self._services = services
        self._open = open_source
        self._source: JobSource | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reception")

    def start(self) -> None:
        """Raises `LibraError`."""
        self._source = self._open()
        self._thread.start()

    def stop(self) -> None:
        """Idempotent."""
        self._stopping.set()
        if self._source is not None:
            self._source.drain()
            self._source.close()
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        assert self._source is not None
        while not self._stopping.is_set():
            try:
                job = self._source.take(TAKE_SECONDS)
                if job is not None:
                    self._take(job)
            except Exception:
                log.exception("internal error", action="announce")
                self._stopping.wait(PAUSE_SECONDS)

    def _take(self, job: TakenJob) -> None:
        """Answered in any case: what cannot be taken in now comes again by itself."""
        try:
            take_in(self._services, parse_announcement(job.payload))
        except LibraError as error:
            log.warning("an announcement is refused", action="announce", error=str(error))
        finally:
            job.complete(b"")
