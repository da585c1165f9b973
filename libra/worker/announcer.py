"""Tells the controllers that this worker is there: at the start, and again and again."""

import threading
from collections.abc import Callable
from datetime import timedelta

import structlog

from libra.errors import LibraError
from libra.messages.announcement import Announcement, build_announcement

log = structlog.get_logger(__name__)

EVERY = timedelta(seconds=30)
SOON = timedelta(seconds=2)  # after a fault, and then ever later
STOP_SECONDS = 5.0


class Announcer:
    """Its owner starts and stops it. `send` hands one over; it and `describe` may raise `LibraError`."""

    def __init__(
        self,
        describe: Callable[[], Announcement],
        send: Callable[[str, bytes], None],
        every: timedelta = EVERY,
    ) -> None:
        self._describe = describe
        self._send = send
        self._every = every
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)

    def start(self) -> None:
        """Returns at once; the first announcement is on its way. Twice is harmless."""
        if self._thread.ident is None:
            self._thread.start()

    def stop(self) -> None:
        """No more of them; idempotent."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        pause = SOON
        while not self._stopping.is_set():
            told = self._announce()
            pause = self._every if told else min(2 * pause, self._every)
            self._stopping.wait(pause.total_seconds())

    def _announce(self) -> bool:
        try:
            announcement = self._describe()
            self._send(announcement.name, build_announcement(announcement))
        except LibraError as error:
            # That the job servers are away is told by the registration; here it is no news.
            log.debug("cannot announce this worker", action="announce", error=str(error))
            return False
        except Exception:
            log.exception("internal error", action="announce")
            return False
        return True
