"""Asks neighbours about this device's addresses while it may have missed something."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

import structlog

from libra.errors import LibraError
from libra.worker.contest import Absence

log = structlog.get_logger(__name__)

EVERY_SECONDS = 0.4
STOP_SECONDS = 5.0


class Contested(Protocol):
    """What the guard acts on."""

    def contest(self, away: float) -> None:
        """Give up what another host answers for, or take it back; raises `LibraError`."""


class AddressGuard:
    """Its owner starts and stops it. `heard`: when a job server last said something, by `time.monotonic`."""

    def __init__(self, controller: Contested, heard: Callable[[], float]) -> None:
        self._controller = controller
        self._heard = heard
        self._lock = threading.Lock()
        self._absence = Absence(time.monotonic())
        self._trouble = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="guard", daemon=True)

    def start(self) -> None:
        """Returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Idempotent."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)

    def away(self) -> float:
        """Until when this device was, by `time.monotonic`. Any thread."""
        with self._lock:
            return self._absence.look(time.monotonic(), self._heard())

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_SECONDS):
            self._look(self.away())

    def _look(self, away: float) -> None:
        try:
            self._controller.contest(away)
        except LibraError as error:
            self._tell(str(error))
        except Exception:
            log.exception("internal error", action="guard")
        else:
            self._trouble = ""

    def _tell(self, trouble: str) -> None:
        """Once, not twice a second."""
        if trouble != self._trouble:
            log.warning("cannot look after addresses", action="guard", error=trouble)
        self._trouble = trouble
