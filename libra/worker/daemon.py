"""The worker daemon: takes jobs, hands them to lanes, answers, and keeps the proxy at the saved state."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import structlog

from libra.daemon.signals import SignalQueue
from libra.daemon.systemd import Notifier
from libra.errors import LibraError
from libra.jobs.base import JobSource
from libra.worker.answer import Controller
from libra.worker.dispatcher import Dispatcher
from libra.worker.intake import Intake
from libra.worker.keeper import ProxyKeeper

log = structlog.get_logger(__name__)

TICK_SECONDS = 1.0
HURRIED_TICK_SECONDS = 0.02  # while starting, reloading and stopping
REFUSAL = "; the new settings are refused, the log says why"
STOP_MARGIN = timedelta(seconds=15)  # what closing may cost after the drain


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things may take.

    `hung_after` is the longest that a job other than ARCHIVE may run before the watchdog is left to act;
    `registration_grace` is how long being ready waits for job servers.
    """

    drain: timedelta = timedelta(seconds=60)
    hung_after: timedelta = timedelta(minutes=3)
    stuck_after: timedelta = timedelta(seconds=30)
    ensure_every: timedelta = timedelta(seconds=2)
    registration_grace: timedelta = timedelta(seconds=1)
    watchdog: timedelta | None = None

    @property
    def tick_seconds(self) -> float:
        """Three beats within a watchdog's time, one a second otherwise."""
        if self.watchdog is None:
            return TICK_SECONDS
        return min(TICK_SECONDS, self.watchdog.total_seconds() / 3)


@dataclass(frozen=True, slots=True)
class Registration:
    """A job source, and how many servers it is configured for."""

    source: JobSource
    servers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """What settings read anew bring; None stands for "as before".

    `configure` lets the proxy's driver use them, in the lane of changes; where the proxy cannot be brought to the
    saved state with them, `revert` goes back to the old ones.
    """

    registration: Registration | None = None
    timing: Timing | None = None
    configure: Callable[[], None] | None = None
    revert: Callable[[], None] = lambda: None


class Renewer(Protocol):
    """Reads the settings again; raises `LibraError` with every fault, and then nothing has changed."""

    def __call__(self) -> Renewal:
        """What has changed."""


class WorkerDaemon:
    """Runs until SIGTERM or SIGINT; a second one gives up waiting for running jobs.

    Threads: the main one for signals, watchdog and chores, one an intake, and those of the lanes.
    """

    def __init__(
        self,
        registration: Registration,
        controller: Controller,
        *,
        timing: Timing | None = None,
        notifier: Notifier | None = None,
        signals: SignalQueue | None = None,
        renew: Renewer = Renewal,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._timing = timing or Timing()
        self._notifier = notifier or Notifier()
        self._signals = signals or SignalQueue()
        self._renew = renew
        self._on_ready = on_ready
        self._dispatcher = Dispatcher(controller)
        self._keeper = ProxyKeeper(self._dispatcher, controller, self._timing.ensure_every)
        self._keeper.tick()  # the saved state comes before the first job
        self._register(registration)
        self._retired: list[Intake] = []
        self._status = ""
        self._refusal = ""
        self._hung = ""

    def run(self) -> bool:
        """Serve until a signal ends it; True where every job that was taken is answered. Main thread only."""
        with self._signals.installed():
            self._expect_ready()
            self._serve()
            return self._stop()

    def heard(self) -> float:
        """When a job server last said something, by `time.monotonic`. Any thread."""
        return self._intake.heard()

    def _register(self, registration: Registration) -> None:
        self._servers = registration.servers
        self._intake = Intake(registration.source, self._dispatcher.accept)

    def _expect_ready(self) -> None:
        self._ready = False
        self._ready_by = time.monotonic() + self._timing.registration_grace.total_seconds()

    def _serve(self) -> None:
        while True:
            self._tick()
            seconds = self._timing.tick_seconds if self._ready else HURRIED_TICK_SECONDS
            match self._signals.get(seconds):
                case signal.SIGTERM | signal.SIGINT:
                    return
                case signal.SIGHUP:
                    self._reload()

    def _tick(self) -> None:
        self._beat()
        self._keeper.tick()
        self._close_retired()
        self._report()

    def _beat(self) -> None:
        """Alive means that jobs move: a main loop that turns beside a hung job is no sign of life."""
        hung = self._dispatcher.hung(self._timing.hung_after)
        if not hung and self._intake.stuck_for() > self._timing.stuck_after:
            hung = "intake"
        if hung and hung != self._hung:
            log.critical("jobs do not move any more", action="watchdog", where=hung)
        self._hung = hung
        if not hung:
            self._notifier.alive()

    def _report(self) -> None:
        status = self._describe()
        if not self._ready and self._is_ready():
            self._ready = True
            log.info("ready", action="start", status=status)
            self._notifier.ready(status)
            self._on_ready()
        elif status != self._status:
            self._notifier.status(status)
        self._status = status

    def _is_ready(self) -> bool:
        """Job servers that are down must not keep the proxy's keeper from being ready."""
        registered = self._intake.connected() >= self._servers
        return self._keeper.settled and (registered or time.monotonic() >= self._ready_by)

    def _describe(self) -> str:
        registered = f"registered at {self._intake.connected()} of {self._servers} job servers"
        return f"{registered}; {self._keeper.state}{self._refusal}"

    def _reload(self) -> None:
        log.info("reading the settings again", action="reload")
        self._notifier.reloading()
        self._expect_ready()
        self._refusal = ""
        try:
            self._adopt(self._renew())
        except LibraError as error:
            for fault in str(error).splitlines():
                log.error("cannot use the new settings", action="reload", error=fault)
            self._refusal = REFUSAL
        except Exception:
            log.exception("internal error", action="reload")
            self._refusal = REFUSAL

    def _adopt(self, renewal: Renewal) -> None:
        if renewal.timing is not None:
            self._timing = renewal.timing
        if renewal.registration is not None:
            self._intake.retire()
            self._retired.append(self._intake)
            self._register(renewal.registration)
        if renewal.configure is not None:
            self._keeper.configure(renewal.configure, lambda: self._refuse(renewal))

    def _refuse(self, renewal: Renewal) -> None:
        """Called in the lane of changes."""
        self._refusal = REFUSAL
        renewal.revert()

    def _close_retired(self) -> None:
        """A replaced source goes once its last job is answered."""
        for intake in [intake for intake in self._retired if intake.ended]:
            self._retired.remove(intake)
            intake.close()

    def _stop(self) -> bool:
        """The order: no new jobs, then answer what is taken, then give back the rest by closing."""
        unfinished = self._dispatcher.unfinished()
        log.info("stopping", action="stop", unfinished=unfinished)
        self._notifier.stopping(f"finishing {unfinished} jobs", self._timing.drain + STOP_MARGIN)
        intakes = [self._intake, *self._retired]
        for intake in intakes:
            intake.retire()
        self._dispatcher.finish()
        self._drain(time.monotonic() + self._timing.drain.total_seconds())
        abandoned = self._dispatcher.abandon()
        if abandoned:
            log.warning("giving jobs back unanswered", action="stop", jobs=abandoned)
        for intake in intakes:
            intake.close()
        log.info("stopped", action="stop")
        return abandoned == 0

    def _drain(self, deadline: float) -> None:
        while self._dispatcher.unfinished() and time.monotonic() < deadline:
            self._beat()
            if self._signals.get(HURRIED_TICK_SECONDS) in (signal.SIGTERM, signal.SIGINT):
                log.warning("stopping at once", action="stop")
                return
