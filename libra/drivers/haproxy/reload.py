"""One reload: through the master, so that listeners are handed over, and watched until it is proved."""

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from datetime import timedelta

import structlog

from libra.drivers.haproxy.conversation import Conversation
from libra.drivers.haproxy.master import MasterSocket, Process, Processes
from libra.drivers.haproxy.running import ServingProcess, observe_process, parse_process
from libra.drivers.haproxy.runtime import AdminSocket
from libra.drivers.haproxy.supervisors import Supervisor
from libra.drivers.haproxy.waiting import Deadline, wait_for
from libra.drivers.haproxy.waking import ensure_answering
from libra.errors import DriverError, ProxyNotRunning, ReloadFailed

log = structlog.get_logger(__name__)

FAILED = "failed"
Outcome = ServingProcess | str | None  # the new process, FAILED, or nothing yet
INFO = "show info"
TALK = timedelta(seconds=2)
LOST_AFTER = timedelta(seconds=2)
ROOM_WITHIN = timedelta(seconds=12)  # idle keep-alive connections end after 10 s


class Reloader:
    """Makes the running HAProxy load its file."""

    def __init__(
        self,
        admin: AdminSocket,
        master: MasterSocket,
        supervisor: Supervisor,
        timeout: timedelta,
        max_old_processes: int,
    ) -> None:
        self._max_old_processes = max_old_processes
        self._admin = admin
        self._master = master
        self._supervisor = supervisor
        self._timeout = timeout
        self._told: set[int] = set()  # pids that were told to end

    def reload(self, description: str, old: ServingProcess | None) -> ServingProcess:
        """The new process, once it serves the text with this description; `old` is the one that serves now, if any.

        Raises `ReloadFailed` with HAProxy's own words; then the old process serves on. Raises `ProxyNotRunning` where
        it ended, or failed without a word.
        """
        with ExitStack() as stack:
            talk = self._talk_to(old, stack)
            fresh = self._replace(description, old)
            if old is not None:
                wait_for(lambda: self._has_let_go(old, talk) or None, Deadline(self._timeout))
        return fresh

    def _replace(self, description: str, old: ServingProcess | None) -> ServingProcess:
        deadline = Deadline(self._timeout)
        before = self._master.show_processes()
        mark = self._supervisor.mark()
        answer = self._master.reload(self._timeout)
        if answer.succeeded is False:
            raise self._failed(mark, answer.log)
        outcome = self._watch(old, before, description, deadline)
        if outcome is None:
            seconds = self._timeout.total_seconds()
            raise self._failed(mark, answer.log, f"no new process serves it within {seconds:g} s")
        if not isinstance(outcome, ServingProcess):
            raise self._failed(mark, answer.log)
        if old is None:
            _end_hung(before)
        return outcome

    def make_room(self, serving: ServingProcess | None, take_in: Callable[[], None]) -> None:
        """Call before a reload, with the file installed; raises `ProxyNotRunning`.

        Old processes get time to end by themselves; then the first to be replaced is ended, and killed at the next
        reload where it hangs.

        `take_in` is called before that, to read what it has counted. The limit is not left to
        mworker-max-reloads, which counts how many reloads a process has seen and not how many there are.
        """
        if not self._crowd(ensure_answering(self._master, serving, self._timeout)):
            return
        within = min(ROOM_WITHIN, self._timeout / 2)
        if wait_for(lambda: not self._crowd_now() or None, Deadline(within)) is None:
            take_in()
            self._end_all([process.pid for process in self._crowd_now()])

    def _end_all(self, pids: Sequence[int]) -> None:
        for pid in pids:
            if pid in self._told:
                _kill_hung(pid)
                continue
            log.warning(
                "too many old processes: one is ended with its connections",
                action="reload",
                pid=pid,
            )
            _end(pid, signal.SIGTERM)
        self._told = set(pids)

    def _crowd_now(self) -> list[Process]:
        return self._crowd(self._master.show_processes())

    def _crowd(self, processes: Processes) -> list[Process]:
        """The old processes that have to go before there may be another one, oldest first."""
        old = sorted(processes.old_workers, key=lambda item: -item.reloads)
        return old[: max(0, len(old) - self._max_old_processes + 1)]

    def _ask_again(self, before: Processes, again: Deadline) -> bool:
        """A master that was just restarting itself may have lost the command."""
        if not again.passed:
            return False
        try:
            now = self._master.show_processes_now()
        except ProxyNotRunning:
            return False
        if (now.master.pid, now.master.reloads) != (before.master.pid, before.master.reloads):
            return False
        log.warning("HAProxy's master lost the reload; asking again", action="reload")
        self._master.reload(self._timeout)
        return True

    def _watch(
        self, old: ServingProcess | None, before: Processes, description: str, deadline: Deadline
    ) -> Outcome:
        again = Deadline(LOST_AFTER)
        outcome: Outcome = None

        def look() -> bool | None:
            nonlocal again, outcome
            if self._ask_again(before, again):
                again = Deadline(LOST_AFTER)
            outcome = self._look(old, before, description)
            return outcome is not None or None

        wait_for(look, deadline)
        return outcome

    def _look(self, old: ServingProcess | None, before: Processes, description: str) -> Outcome:
        now = observe_process(self._admin)
        if now and now.started_from(description) and (old is None or now.pid != old.pid):
            return now
        return FAILED if self._has_failed(before) else None

    def _has_failed(self, before: Processes) -> bool:
        """Counted by the master, which restarts itself at a reload and refuses to answer meanwhile."""
        try:
            now = self._master.show_processes_now()
        except ProxyNotRunning:
            return self._supervisor.has_ended(before.master.pid)
        same_master = now.master.pid == before.master.pid
        return same_master and now.master.reloads > before.master.reloads and now.failed_reloads > 0

    def _talk_to(self, old: ServingProcess | None, stack: ExitStack) -> Conversation | None:
        """A word with the old process itself: right after a reload its master is busy for milliseconds."""
        if old is None:
            return None
        try:
            return stack.enter_context(Conversation(self._admin.path, TALK))
        except ProxyNotRunning:
            return None

    def _has_let_go(self, old: ServingProcess, talk: Conversation | None) -> bool:
        """Both take connections on the admin socket for a moment; what is said to the old one would be lost."""
        try:
            if talk is not None:
                process = parse_process(talk.ask(INFO))
                if process.pid == old.pid:
                    return process.stopping
        except DriverError:
            pass  # it may have ended: its master knows
        try:
            return parse_process(self._master.ask_worker(old.pid, INFO)).stopping
        except ProxyNotRunning:
            return True  # it has ended already

    def _failed(self, mark: int, log: str, otherwise: str = "") -> DriverError:
        """Whoever ends without a word was killed."""
        words = self._supervisor.explain(mark, log) or otherwise
        if words:
            return ReloadFailed(f"cannot reload HAProxy: {words}")
        return ProxyNotRunning("cannot reload HAProxy: it does not say why")


def _end_hung(before: Processes) -> None:
    """A process that did not answer did not hand its listeners over either: it would still catch connections."""
    for worker in before.workers:
        _kill_hung(worker.pid)


def _kill_hung(pid: int) -> None:
    log.warning("a process of HAProxy hangs and is ended", action="reload", pid=pid)
    _end(pid, signal.SIGKILL)


def _end(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
