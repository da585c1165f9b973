"""Writes the row by which other controllers, and operators, know how this one does."""

import os
import socket
from collections.abc import Callable
from datetime import datetime

import structlog

from libra import __version__
from libra.daemon.beats import Beats
from libra.daemon.loop import Loop
from libra.errors import LibraError, NotFound
from libra.model.controller import FORGOTTEN_AFTER, WRITE_EVERY, Controller
from libra.storage.base import UnitOfWork
from libra.usecases.services import Services

log = structlog.get_logger(__name__)

STOP_SECONDS = 10.0


class Heartbeat:
    """Its owner starts and stops it. It has a thread of its own, for the manager's may be what hangs."""

    def __init__(
        self, services: Services, beats: Beats, manages: Callable[[], bool | None], key: str
    ) -> None:
        self._services = services
        self._beats = beats
        self._manages = manages
        seconds = WRITE_EVERY.total_seconds()
        beat = beats.add("heartbeat", interval=seconds, stores=("database",), endless=True)
        self._loop = Loop(beat, self._turn)
        self._started = services.clock()
        self.id = key

    def start(self) -> None:
        """The row is there when it returns: another controller may be about to stop. Raises `StorageUnavailable`."""
        self._write()
        self._loop.start()

    def stop(self) -> None:
        """The row goes; idempotent."""
        self._loop.stop(STOP_SECONDS)
        try:
            with self._services.storage.writing() as unit:
                unit.controllers.remove(self.id)
        except LibraError as error:
            log.warning("cannot sign off", action="stop", error=str(error))

    def others(self) -> list[Controller]:
        """The other controllers of this database that live; raises `StorageUnavailable`."""
        known = self._services.storage.look(lambda unit: unit.controllers.find())
        now = self._services.clock()
        return [item for item in known if item.id != self.id and _lives(item, now)]

    def _turn(self) -> None:
        self._write()
        self._loop.stopping.wait(WRITE_EVERY.total_seconds())

    def _write(self) -> None:
        now = self._services.clock()
        row = self._describe(now)
        with self._services.storage.writing() as unit:
            try:
                unit.controllers.replace(row)
            except NotFound:
                _prune(unit, now)
                unit.controllers.add(row)

    def _describe(self, now: datetime) -> Controller:
        return Controller(
            id=self.id,
            host=socket.gethostname(),
            pid=os.getpid(),
            release=__version__,
            started_at=self._started,
            seen_at=now,
            manages=self._manages(),
            loops=self._beats.states(now),
        )


def _prune(unit: UnitOfWork, now: datetime) -> None:
    for old in unit.controllers.find():
        if now - old.seen_at > FORGOTTEN_AFTER:
            unit.controllers.remove(old.id)


def _lives(controller: Controller, now: datetime) -> bool:
    """One that was killed on this host a moment ago does not, though its row is fresh."""
    if not controller.is_live(now):
        return False
    if controller.host != socket.gethostname():
        return True
    try:
        os.kill(controller.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # another user's
    return True
