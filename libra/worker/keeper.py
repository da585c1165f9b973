"""Keeps the proxy at the saved state, job or no job."""

import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from libra.errors import LibraError
from libra.worker.answer import INTERNAL, Controller
from libra.worker.dispatcher import Dispatcher
from libra.worker.lanes import Task

QUEUE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 10.0  # between tries that fail: each may check a large configuration

log = structlog.get_logger(__name__)


class ProxyKeeper:
    """Restores the proxy at the start, and looks after it from then on, always in the lane of changes.

    `state` is a sentence for people; `settled` says whether the last restore has ended, one way or the other. A saved
    state that cannot be read leaves the proxy alone: the controller fails before it touches anything.
    """

    def __init__(self, dispatcher: Dispatcher, controller: Controller, every: timedelta) -> None:
        self._dispatcher = dispatcher
        self._controller = controller
        self._every = every.total_seconds()
        self._pause = self._every
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
        if self._queued or time.monotonic() < self._next:
            return
        self._queued = True  # before it is: the lane may be done with it when `put` returns
        if not self._dispatcher.changes.put(Task(self._check)):
            self._queued = False

    def configure(self, configure: Callable[[], None], refuse: Callable[[], None]) -> None:
        """Bring the proxy to the saved state after `configure`; call `refuse` where that fails."""
        self.settled = False
        task = Task(lambda: self._configure(configure, refuse))
        if not self._dispatcher.changes.put(task, QUEUE_SECONDS):
            self._refuse("too many jobs wait", refuse)

    def _check(self) -> None:
        trouble = _attempt(self._controller.ensure if self._restored else self._controller.restore)
        self._report(trouble)
        self.settled = True
        longest = max(self._every, LONGEST_PAUSE_SECONDS)
        self._pause = min(2 * self._pause, longest) if trouble else self._every
        self._next = time.monotonic() + self._pause
        self._queued = False

    def _configure(self, configure: Callable[[], None], refuse: Callable[[], None]) -> None:
        configure()
        trouble = _attempt(self._controller.restore)
        if trouble:
            self._refuse(trouble, refuse)
        else:
            self._report("")
            self.settled = True

    def _refuse(self, reason: str, refuse: Callable[[], None]) -> None:
        log.error("cannot use the new settings", action="reload", error=reason)
        refuse()
        self.settled = True

    def _report(self, trouble: str) -> None:
        """An event when it changes, not one every few seconds."""
        if trouble and trouble != self._trouble:
            log.error("the proxy is not as saved", action="restore", error=trouble)
        if self._trouble and not trouble:
            log.info("the proxy is as saved again", action="restore")
        self._restored = self._restored or not trouble
        self._trouble = trouble


def _attempt(step: Callable[[], None]) -> str:
    """Why it failed; empty where it did not."""
    try:
        step()
    except LibraError as error:
        return str(error)
    except Exception:
        log.exception("internal error", action="restore")
        return INTERNAL
    return ""
