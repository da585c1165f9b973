"""The keepalived that runs on our file: started by the worker, or by libra-keepalived.service."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from libra.errors import DriverError, ProxyNotRunning

log = structlog.get_logger(__name__)

UNIT = "libra-keepalived.service"
START_SECONDS = 10.0
RELOAD_SECONDS = 10.0
AGAIN_SECONDS = 1.0  # a reload takes some hundredths
RESTART_SECONDS = 3.0  # the unit's RestartSec is a fraction of it
STOP_SECONDS = 5.0
LONGEST_NOTICES = 1 << 20  # bytes
EVERY_SECONDS = 0.005
PENDING = b"asked\n"  # keepalived empties the file when it begins to read, and removes it when it has read
# As with HAProxy: it neither dies with the worker nor stays behind as its zombie.
_DETACH = 'out=$1; shift; "$@" >>"$out" 2>&1 </dev/null &'


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Files beside keepalived's configuration."""

    config_file: Path

    @property
    def pid_file(self) -> Path:
        """The parent's."""
        return self.config_file.with_suffix(".pid")

    @property
    def vrrp_pid_file(self) -> Path:
        """Its child's, which speaks VRRP."""
        return self.config_file.with_suffix(".vrrp.pid")

    @property
    def reload_file(self) -> Path:
        """There while a configuration has yet to be read."""
        return self.config_file.with_suffix(".reload")

    @property
    def notices(self) -> Path:
        """What it says of itself, where the worker starts it."""
        return self.config_file.with_suffix(".err")


class Supervisor(Protocol):
    """Has keepalived running on the installed file. All but `running` raise `DriverError`."""

    @property
    def reads_now(self) -> bool:
        """Whether what `start` brought has certainly read what is installed now."""

    def running(self) -> int | None:
        """The parent's process id."""

    def start(self) -> int:
        """Where it does not run: returns when it has read the file."""

    def stop(self) -> None:
        """Nothing is left to do for it."""


class OwnSupervisor:
    """Starts it as the calling user."""

    reads_now = True

    def __init__(self, program: str, places: Places) -> None:
        self._program = program
        self._places = places

    def running(self) -> int | None:
        """A number counts only where that process runs on our file, for they are used again."""
        pid = load_pid(self._places.pid_file)
        return pid if pid is not None and self._is_ours(pid) else None

    def start(self) -> int:
        """Raises with keepalived's own words where it ends again."""
        places = self._places
        mark = self._prepare()
        command = [self._program, "--dont-fork", "--log-console", "--no-syslog", "--vrrp"]
        command += ["-f", str(places.config_file), "-p", str(places.pid_file)]
        _detach([str(places.notices), *command, "-r", str(places.vrrp_pid_file)])
        if not wait_for(self._has_started, START_SECONDS):
            raise ProxyNotRunning(f"cannot start keepalived: {self._words(mark)}")
        pid = self.running()
        if pid is None:
            raise ProxyNotRunning(f"cannot start keepalived: {self._words(mark)}")
        log.info("keepalived started", action="start", pid=pid)
        return pid

    def stop(self) -> None:
        """It gives its addresses up."""
        pid = self.running()
        if pid is None:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        if not wait_for(lambda: self.running() is None, STOP_SECONDS):
            raise DriverError(f"cannot stop keepalived: process {pid} does not end")

    def _prepare(self) -> int:
        """Where its words will begin. It refuses to start where a process has the number of a killed one."""
        places = self._places
        try:
            for path in (places.pid_file, places.vrrp_pid_file):
                pid = load_pid(path)
                if pid is not None and self._is_ours(pid):  # orphaned, and about to end by itself
                    os.kill(pid, signal.SIGKILL)
                path.unlink(missing_ok=True)
            places.reload_file.write_bytes(PENDING)
            places.notices.touch(0o640)
            if places.notices.stat().st_size > LONGEST_NOTICES:
                os.truncate(places.notices, 0)
            return places.notices.stat().st_size
        except OSError as error:
            why = f"{error.filename}: {error.strerror}"
            raise DriverError(f"cannot keep keepalived's files: {why}") from error

    def _has_started(self) -> bool:
        return self.running() is not None and not self._places.reload_file.exists()

    def _words(self, mark: int) -> str:
        with suppress(OSError), self._places.notices.open("rb") as file:
            file.seek(mark)
            return " ".join(file.read(LONGEST_NOTICES).decode(errors="replace").split())[-1000:]
        return "it does not say why"

    def _is_ours(self, pid: int) -> bool:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return bytes(self._places.config_file) in words  # a zombie has no words


class SystemdSupervisor:
    """The worker has no right to start units, so all it can do is wait and say what is missing."""

    reads_now = False

    def __init__(self, places: Places) -> None:
        self._places = places

    def running(self) -> int | None:
        """By its number alone: a process with capabilities is hidden from the worker. The unit removes the file."""
        pid = load_pid(self._places.pid_file)
        try:
            if pid is not None:
                os.kill(pid, 0)
        except OSError:
            return None
        return pid

    def start(self) -> int:
        """Raises `ProxyNotRunning` that says what to do."""
        found = wait_for(lambda: self.running() is not None, RESTART_SECONDS)
        pid = self.running()
        if not found or pid is None:
            raise ProxyNotRunning(
                f"cannot reach keepalived: {UNIT} does not run it ('systemctl start {UNIT}' starts it,"
                f" 'journalctl -u {UNIT}' says why it ended)"
            )
        return pid

    def stop(self) -> None:
        """It goes on, without addresses."""


def reload(pid: int, places: Places) -> None:
    """Returns when keepalived has read the file anew; raises `DriverError`.

    It then keeps the addresses that are in both texts.
    """
    try:
        places.reload_file.write_bytes(PENDING)
        end = time.monotonic() + RELOAD_SECONDS
        while not _has_read(pid, places) and time.monotonic() < end:
            pass
    except OSError as error:
        raise DriverError(f"cannot reload keepalived: {error.strerror}") from error
    if places.reload_file.exists():
        raise DriverError(
            f"cannot reload keepalived: it did not read its file within {RELOAD_SECONDS:g} s"
        )


def _has_read(pid: int, places: Places) -> bool:
    """Tells it again where it has not even begun: it loses what it is told while it starts."""
    with suppress(FileNotFoundError):
        if places.reload_file.stat().st_size:
            os.kill(pid, signal.SIGHUP)
    return wait_for(lambda: not places.reload_file.exists(), AGAIN_SECONDS)


def load_pid(path: Path) -> int | None:
    """From a file; None where there is none, or it is being written."""
    try:
        pid = int(path.read_text())
    except (OSError, ValueError):
        return None
    return pid if pid > 1 else None


def wait_for(holds: Callable[[], bool], within: float) -> bool:
    """Whether it came to hold; looked at once more after the end."""
    end = time.monotonic() + within
    while True:
        last = time.monotonic() >= end
        if holds():
            return True
        if last:
            return False
        time.sleep(EVERY_SECONDS)


def _detach(words: list[str]) -> None:
    try:
        subprocess.run(
            ["/bin/sh", "-c", _DETACH, "sh", *words],
            stdin=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise DriverError(f"cannot start keepalived: {error}") from error
