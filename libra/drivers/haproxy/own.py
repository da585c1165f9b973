"""HAProxy started by the worker: detached, so that it outlives the worker, and found again by its sockets."""

import os
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog

from libra.daemon.apart import has_ended, send, start_apart
from libra.drivers.haproxy.alerts import explain
from libra.drivers.haproxy.binary import Binary
from libra.drivers.haproxy.master import MasterSocket
from libra.drivers.haproxy.processes import MasterPid, load_children
from libra.drivers.haproxy.running import observe_master, observe_process
from libra.drivers.haproxy.runtime import AdminSocket
from libra.drivers.haproxy.waiting import Deadline, wait_for
from libra.errors import DriverError, ProxyNotRunning

log = structlog.get_logger(__name__)

FORMER = timedelta(seconds=2)
GRACE = timedelta(seconds=5)  # from being told to stop to being killed
LONGEST_NOTICES = 1 << 20  # bytes; a reload adds about a thousand


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Files of a HAProxy of our own: all below directories that its user may write to."""

    config_file: Path
    admin_socket: Path
    master_socket: Path
    access_log: Path  # HAProxy's standard output
    notices: Path  # its standard error: what it says of itself
    pid_file: Path  # the master's


class OwnSupervisor:
    """Starts HAProxy as the calling user."""

    needs_file = False

    def __init__(
        self, binary: Binary, places: Places, admin: AdminSocket, master: MasterSocket
    ) -> None:
        self._binary = binary
        self._places = places
        self._pid = MasterPid(places.pid_file, places.config_file)
        self._admin = admin
        self._master = master

    def settle(self) -> None:
        """A master whose process died is about to end; one whose sockets were taken away is told to finish.

        The latter goes on serving its connections, but no longer listens, so that another can.
        """
        pid = self._pid.load()
        if pid is None or wait_for(lambda: self._is_settled(pid) or None, Deadline(FORMER)):
            return
        log.warning("HAProxy cannot be reached, so it is told to finish", action="settle", pid=pid)
        send(pid, signal.SIGUSR1)
        with self._files():
            self._pid.file.unlink(missing_ok=True)

    def start(self, deadline: Deadline) -> None:
        """Raises `DriverError` with HAProxy's own words where it ends again."""
        self.settle()
        if observe_master(self._master):
            return
        mark = self.mark()
        pid = self._spawn()
        wait_for(lambda: self._serves() or has_ended(pid) or None, deadline)
        if self._serves():
            log.info("HAProxy started", action="start", pid=pid)
            return
        words = self.explain(mark) or f"it does not answer at {self._places.admin_socket}"
        send(pid, signal.SIGTERM)
        raise ProxyNotRunning(f"cannot start HAProxy: {words}")

    def stop(self, deadline: Deadline) -> None:
        """End the master and all its processes; their connections are cut."""
        pid = self._pid.load() or self._ask_pid()
        if pid is None:
            return
        family = (pid, *load_children(pid))  # now: nobody lists them once the master has gone
        send(pid, signal.SIGTERM)
        if _await_end(family, Deadline(min(GRACE, deadline.within / 2))):
            return
        for member in filter(self._pid.is_ours, family):
            log.warning("a process of HAProxy hangs and is ended", action="stop", pid=member)
            send(member, signal.SIGKILL)
        if not _await_end(family, deadline):
            raise DriverError(f"cannot stop HAProxy: process {pid} or a child of it does not end")

    def has_ended(self, pid: int) -> bool:
        """Also true for a process that waits to be reaped by a lazy init process."""
        return has_ended(pid)

    def mark(self) -> int:
        """The size of the file of notices, which is cut where it grew long."""
        with self._files():
            try:
                size = self._places.notices.stat().st_size
            except FileNotFoundError:
                return 0
            if size > LONGEST_NOTICES:
                os.truncate(self._places.notices, 0)  # HAProxy appends, so it goes on at the front
                return 0
            return size

    def explain(self, mark: int, log: str = "") -> str:
        """From the file of notices; a master that somebody else started writes elsewhere."""
        text = ""
        with self._files(), suppress(FileNotFoundError), self._places.notices.open("rb") as file:
            file.seek(mark)
            text = file.read(LONGEST_NOTICES).decode(errors="replace")
        return explain(f"{log}\n{text}")

    def _serves(self) -> bool:
        return observe_process(self._admin) is not None

    def _is_settled(self, pid: int) -> bool:
        """Gone, or there with a process to serve."""
        if has_ended(pid):
            return True
        try:
            workers = self._master.show_processes_now().workers
        except ProxyNotRunning:
            return False  # also for a moment after a start or during a reload
        return any(not has_ended(worker.pid) for worker in workers)

    def _ask_pid(self) -> int | None:
        """From its socket, where somebody removed the file with its number."""
        try:
            pid = self._master.show_processes().master.pid
        except ProxyNotRunning:
            return None
        return pid if self._pid.is_ours(pid) else None

    def _spawn(self) -> int:
        places = self._places
        with self._files():
            for path in (
                places.admin_socket,
                places.master_socket,
                places.access_log,
                places.notices,
            ):
                path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            _ensure_appendable(places.access_log)
            _ensure_appendable(places.notices)
        haproxy = [str(self._binary.path()), "-W", "-S", f"{places.master_socket},mode,600"]
        haproxy += ["-f", str(places.config_file)]
        try:
            return start_apart(
                haproxy, out=places.access_log, err=places.notices, pid_file=places.pid_file
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise DriverError(f"cannot start HAProxy: {error}") from error

    @contextmanager
    def _files(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = f"{error.filename}: {error.strerror}"
            raise DriverError(f"cannot keep HAProxy's files: {why}") from error


def _await_end(pids: Iterable[int], deadline: Deadline) -> bool:
    return wait_for(lambda: all(map(has_ended, pids)) or None, deadline) is not None


def _ensure_appendable(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640))
