"""Keeps the proxy at the saved state, job or no job."""

import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from libra.errors import LibraError
from libra.worker.answer import INTERNAL, Controller
from libra.worker.dispatcher import Dispatcher
from libra.worker.lanes import Task

log = structlog.get_logger(__name__)


class ProxyKeeper:
    """Restores the proxy at the start, and looks after it from then on, always in the lane of changes.

    `state` is a sentence for people; `settled` says whether the last restore has ended, one way or the other. A saved
    state that cannot be read leaves the proxy alone: the controller fails before it touches anything.
    """

    def __init__(self, dispatcher: Dispatcher, every: timedelta) -> None:
        self._dispatcher = dispatcher
        self._every = every.total_seconds()
        self._next = 0.0
        self._queued = False
        self._restored = False
        self._trouble = ""
        self.settled = False

    @property
    def state(self) -> str:
        """How the proxy does, as far as is known."""
        if not self.settled:
            return "restoring the proxy"
        return self._trouble or "the proxy is as saved"

    def tick(self) -> None:
        """Queue the next check when it is due; a full lane of changes comes first."""
        if not self._queued and time.monotonic() >= self._next:
            self._queued = self._dispatcher.changes.put(Task(self._check))

    def adopt(self, controller: Controller, settled: Callable[[bool], None]) -> None:
        """Let another controller take over, if it can restore the proxy; `settled(False)` if it cannot."""
        self.settled = False
        if not self._dispatcher.changes.put(Task(lambda: self._adopt(controller, settled)), 1.0):
            self._refuse("the lane of changes is full", settled)

    def _check(self) -> None:
        controller = self._dispatcher.controller
        try:
            self._try(controller.ensure if self._restored else controller.restore)
        finally:
            self.settled = True
            self._next = time.monotonic() + self._every
            self._queued = False

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        except LibraError as error:
            self._report(str(error))
        except Exception:
            log.exception("internal error", action="restore")
            self._report(INTERNAL)
        else:
            self._restored = True
            self._report("")

    def _report(self, trouble: str) -> None:
        """An event when it changes, not one every few seconds."""
        if trouble and trouble != self._trouble:
            log.error("the proxy is not as saved", action="restore", error=trouble)
        if self._trouble and not trouble:
            log.info("the proxy is as saved again", action="restore")
        self._trouble = trouble

    def _adopt(self, controller: Controller, settled: Callable[[bool], None]) -> None:
        try:
            controller.restore()
        except LibraError as error:
            self._refuse(str(error), settled)
        else:
            self._dispatcher.controller = controller
            self._restored = True
            self._report("")
            settled(True)
        finally:
            self.settled = True

    def _refuse(self, reason: str, settled: Callable[[bool], None]) -> None:
        log.error("cannot use the new settings", action="reload", error=reason)
        settled(False)
        self.settled = True
