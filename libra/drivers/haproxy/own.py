"""HAProxy started by the worker: detached, so that it outlives the worker, and found again by its sockets."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog

from libra.drivers.haproxy.alerts import explain
from libra.drivers.haproxy.binary import Binary
from libra.drivers.haproxy.master import MasterSocket
from libra.drivers.haproxy.running import observe_master, observe_process
from libra.drivers.haproxy.runtime import AdminSocket
from libra.drivers.haproxy.waiting import Deadline, wait_for
from libra.errors import DriverError, ProxyNotRunning

log = structlog.get_logger(__name__)

FORMER = timedelta(seconds=2)
LONGEST_NOTICES = 1 << 20  # bytes; a reload adds about a thousand
# The shell ends at once, so HAProxy becomes the init process's child: it neither dies with the worker nor stays
# behind as its zombie. Descriptor 3 carries the process id back and is not HAProxy's to keep.
_DETACH = 'out=$1 err=$2; shift 2; exec 3>&1; "$@" >>"$out" 2>>"$err" 3>&- </dev/null & echo $! >&3'


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Files of a HAProxy of our own: all below directories that its user may write to."""

    config_file: Path
    admin_socket: Path
    master_socket: Path
    access_log: Path  # HAProxy's standard output
    notices: Path  # its standard error: what it says of itself
    pid_file: Path  # the master's; its socket alone would not tell a dead one from one that restarts itself


class OwnSupervisor:
    """Starts HAProxy as the calling user."""

    needs_file = False

    def __init__(
        self, binary: Binary, places: Places, admin: AdminSocket, master: MasterSocket
    ) -> None:
        self._binary = binary
        self._places = places
        self._admin = admin
        self._master = master

    def settle(self) -> None:
        """A master whose process died is about to end; one whose sockets were taken away is told to finish.

        The latter goes on serving its connections, but no longer listens, so that another can.
        """
        pid = self._load_pid()
        if pid is None or wait_for(lambda: self._is_settled(pid) or None, Deadline(FORMER)):
            return
        log.warning("HAProxy cannot be reached, so it is told to finish", action="settle", pid=pid)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)
        with self._files():
            self._places.pid_file.unlink(missing_ok=True)

    def start(self, deadline: Deadline) -> None:
        """Raises `DriverError` with HAProxy's own words where it ends again."""
        self.settle()
        if observe_master(self._master):
            return
        mark = self.mark()
        pid = self._spawn()
        wait_for(lambda: self._serves() or self.has_ended(pid) or None, deadline)
        if self._serves():
            log.info("HAProxy started", action="start", pid=pid)
            return
        words = self.explain(mark) or f"it does not answer at {self._places.admin_socket}"
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        raise ProxyNotRunning(f"cannot start HAProxy: {words}")

    def stop(self, deadline: Deadline) -> None:
        """End the master and all its processes; their connections are cut."""
        pid = self._load_pid()
        if pid is None:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        if wait_for(lambda: self.has_ended(pid) or None, deadline) is None:
            raise DriverError(f"cannot stop HAProxy: process {pid} does not end")

    def has_ended(self, pid: int) -> bool:
        """Also true for a process that waits to be reaped by a lazy init process."""
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
        except OSError:
            return True
        return state in "ZX"

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
        """From the file of notices."""
        with self._files(), self._places.notices.open("rb") as file:
            file.seek(mark)
            text = file.read(LONGEST_NOTICES).decode(errors="replace")
        return explain(f"{log}\n{text}")

    def _serves(self) -> bool:
        return observe_process(self._admin) is not None

    def _is_settled(self, pid: int) -> bool:
        """Gone, or there with a process to serve."""
        if self.has_ended(pid):
            return True
        try:
            workers = self._master.show_processes_now().workers
        except ProxyNotRunning:
            return False  # also for a moment after a start or during a reload
        return any(not self.has_ended(worker.pid) for worker in workers)

    def _load_pid(self) -> int | None:
        """The master's process id, where it runs and is the one that was started on our file."""
        try:
            pid = int(self._places.pid_file.read_text())
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if bytes(self._places.config_file) in words else None

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
        haproxy += ["-p", str(places.pid_file), "-f", str(places.config_file)]
        return _detach([str(places.access_log), str(places.notices), *haproxy])

    @contextmanager
    def _files(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = f"{error.filename}: {error.strerror}"
            raise DriverError(f"cannot keep HAProxy's files: {why}") from error


def _ensure_appendable(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640))


def _detach(words: list[str]) -> int:
    """Run a command that is nobody's child; the process id."""
    try:
        started = subprocess.run(
            ["/bin/sh", "-c", _DETACH, "sh", *words],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise DriverError(f"cannot start HAProxy: {error}") from error
    return int(started.stdout)
