"""Takes the announcements of workers from the job servers; every controller has one."""

from collections.abc import Callable

import structlog

from libra.daemon.beats import Beats
from libra.daemon.loop import Loop
from libra.errors import LibraError
from libra.jobs.base import JobSource, TakenJob
from libra.messages.announcement import parse_announcement
from libra.usecases.announcements import take_in
from libra.usecases.services import Services

log = structlog.get_logger(__name__)

TAKE_SECONDS = 0.5
STOP_SECONDS = 5.0


class Reception:
    """Its owner starts and stops it. `open_source` registers the controllers' function; raises `LibraError`."""

    def __init__(
        self, services: Services, open_source: Callable[[], JobSource], beats: Beats
    ) -> None:
        self._services = services
        self._open = open_source
        self._source: JobSource | None = None
        stores = ("database", "job servers")
        beat = beats.add("reception", interval=TAKE_SECONDS, stores=stores, endless=True)
        self._loop = Loop(beat, self._turn)

    def start(self) -> None:
        """Raises `LibraError`."""
        self._source = self._open()
        self._loop.start()

    def stop(self) -> None:
        """Idempotent."""
        source = self._source

        def wake() -> None:
            if source is not None:
                source.drain()
                source.close()

        self._loop.stop(STOP_SECONDS, wake)

    def _turn(self) -> None:
        assert self._source is not None
        job = self._source.take(TAKE_SECONDS)
        if job is not None:
            self._take(job)

    def _take(self, job: TakenJob) -> None:
        """Answered in any case: what cannot be taken in now comes again by itself."""
        try:
            take_in(self._services, parse_announcement(job.payload))
        except LibraError as error:
            log.warning("an announcement is refused", action="announce", error=str(error))
        finally:
            job.complete(b"")
