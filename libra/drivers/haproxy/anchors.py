"""Keeps HAProxy processes that a reload ends alive until their last numbers are read.

A process that is told to finish ends with its last connection, and what it counted since it was read last goes with
it. A session on its admin socket is a connection as well: opened before the reload and closed when no client is left,
it makes sure that nothing is missed.
"""

import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import structlog

from libra.drivers.haproxy.sightings import INFO, STAT, Sighting, parse_info, parse_sighting
from libra.drivers.haproxy.waiting import Deadline
from libra.errors import DriverError

log = structlog.get_logger(__name__)

PROMPT = b"\n> "
ANSWER_WITHIN = timedelta(seconds=5)
IDLE_SECONDS = 24 * 3600  # after which HAProxy would end the session; it is asked far more often
RELOAD_WITHIN = timedelta(minutes=2)  # a process that goes on serving had no reload: let go
FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 1.0


class Anchor:
    """One open session with the process that serves when it is made; raises OSError, `DriverError`."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(ANSWER_WITHIN.total_seconds())
            self._socket.connect(str(path))
            self._ask("prompt")
            self._ask(f"set timeout cli {IDLE_SECONDS}")
            self.pid = parse_info(self._ask(INFO))["Pid"]
        except BaseException:
            self._socket.close()
            raise
        self.expect_reload()

    def expect_reload(self) -> None:
        """Stay for a while, though the process only goes on serving."""
        self._reload_due = Deadline(RELOAD_WITHIN)

    def is_needed(self) -> bool:
        """True as long as the process has clients, or may still be told to finish.

        Raises OSError where it has ended or does not answer.
        """
        info = parse_info(self._ask(INFO))
        return info["CurrConns"] > 0 if info["Stopping"] else not self._reload_due.passed

    def last_words(self) -> Sighting:
        """What the process says of itself now; raises OSError, `DriverError`."""
        return parse_sighting(self._ask(INFO), self._ask(STAT))

    def close(self) -> None:
        """Let the process end."""
        self._socket.close()

    def _ask(self, command: str) -> str:
        self._socket.sendall(f"{command}\n".encode())
        answer = bytearray()
        while not answer.endswith(PROMPT):
            block = self._socket.recv(65536)
            if not block:
                raise ConnectionResetError("the process has ended")
            answer += block
        return answer.removesuffix(PROMPT).decode(errors="replace")


class Anchors:
    """All of them, with a thread that watches them as long as there are any.

    `take_in` gets the last words of each process before it is let go.
    """

    def __init__(self, path: Path, take_in: Callable[[Sighting], None]) -> None:
        self._path = path
        self._take_in = take_in
        self._lock = threading.Lock()
        self._anchors: list[Anchor] = []
        self._thread: threading.Thread | None = None
        self._changed = threading.Event()
        self._closed = False

    def hold(self) -> bool:
        """Anchor the process that serves now; False where that is not possible."""
        try:
            anchor = Anchor(self._path)
        except (OSError, DriverError) as error:
            log.info("cannot hold the process", action="hold process", error=str(error))
            return False
        with self._lock:
            same = [other for other in self._anchors if other.pid == anchor.pid]
            if self._closed or same:
                anchor.close()
            else:
                self._anchors.append(anchor)
                self._watch()
            for other in same:
                other.expect_reload()
            return not self._closed

    def close(self) -> None:
        """Let go of all, and wait for the thread. Harmless when repeated."""
        with self._lock:
            self._closed = True
            thread = self._thread
        self._changed.set()
        if thread is not None:
            thread.join()

    def _watch(self) -> None:
        self._changed.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="haproxy-anchors", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while anchors := self._held():
            pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
            if self._changed.wait(pause):
                self._changed.clear()
                pause = FIRST_PAUSE_SECONDS
            for anchor in anchors:
                if self._closed or not _is_needed(anchor):
                    self._let_go(anchor)

    def _held(self) -> tuple[Anchor, ...]:
        with self._lock:
            if not self._anchors:
                self._thread = None
            return tuple(self._anchors)

    def _let_go(self, anchor: Anchor) -> None:
        try:
            self._take_in(anchor.last_words())
        except (OSError, DriverError) as error:
            log.debug(
                "an old process was silent", action="let go", pid=anchor.pid, error=str(error)
            )
        except Exception:  # whatever it is, the thread lives on, and the process may end
            log.exception("cannot take in the last words", action="let go", pid=anchor.pid)
        with self._lock:
            self._anchors.remove(anchor)
        anchor.close()


def _is_needed(anchor: Anchor) -> bool:
    try:
        return anchor.is_needed()
    except (OSError, DriverError):
        return False
