"""Runs libra-worker, and kills it with SIGKILL at one step of a job: production code has no fault points for that.

    CRASH_PLAN=/tmp/plan CRASH_LOG=/tmp/steps python tests/support/saboteur.py --config FILE

What touches the disk, HAProxy, another program or the job server is wrapped from outside; every such call is two
steps, one before and one after it. Where the file CRASH_PLAN is there when a job is taken, with "job 7" in it, the
steps of that job are counted and written to CRASH_LOG as they come, and the process is killed at the seventh; with
"start 7" those of the first restore after the start. Some steps are repeated until something happens, so each counts
three times at most. Beyond the last step, which is called "end", nothing happens.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

MOST_REPEATS = 3
LONGEST_LOOP = 12  # steps: a look at HAProxy connects, asks and hears, and each of that is two
JOB, START = "job", "start"


class Saboteur:
    """Counts steps while it is armed, and kills this process at the one that it was told."""

    def __init__(self, plan: Path, log: Path) -> None:
        self._plan = plan
        self._log_path = log
        self._lock = threading.RLock()
        self._armed = ""

    def arm(self, kind: str) -> None:
        """From now on, where that was planned."""
        words = self._plan.read_text().split() if self._plan.exists() else []
        if words[:1] != [kind]:
            return
        with self._lock:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            self._log = _OPEN(self._log_path, flags, 0o600)
            self._crash_at = int(words[1])
            self._seen: Counter[str] = Counter()
            self._recent: deque[str] = deque(maxlen=LONGEST_LOOP)
            self._count = 0
            self._armed = kind

    def disarm(self, kind: str) -> None:
        """What was armed for is over."""
        if self._armed == kind:
            self.step("end")
            self._armed = ""

    def step(self, name: str) -> None:
        """One step; nobody comes back from the last one."""
        with self._lock:
            if not self._armed:
                return
            if name not in self._recent:
                self._seen.clear()
            self._recent.append(name)
            self._seen[name] += 1
            if self._seen[name] > MOST_REPEATS:
                return
            self._count += 1
            _WRITE(self._log, f"{self._count} {name}\n".encode())
            if self._count == self._crash_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def wrap(self, owner: Any, name: str, describe: Callable[..., str | None]) -> None:
        """Steps before and after each call of `owner.name`, named by `describe`; where that says None it is no step."""
        inner = getattr(owner, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            label = describe(*args, **kwargs)
            if label is None:
                return inner(*args, **kwargs)
            self.step(f"before {label}")
            try:
                return inner(*args, **kwargs)
            finally:
                self.step(f"after {label}")

        setattr(owner, name, wrapped)

    def wrap_all(self) -> None:
        """The disk, HAProxy's sockets, other programs."""
        for name in ("replace", "rename", "link"):
            self.wrap(os, name, lambda one, two, n=name: f"{n} {_name(one)} -> {_name(two)}")
        for name in ("unlink", "remove", "mkdir", "truncate"):
            self.wrap(os, name, lambda path, *_args, n=name, **_kw: f"{n} {_name(path)}")
        self.wrap(os, "fsync", lambda _handle: "fsync")
        self.wrap(os, "open", _describe_open)
        self.wrap(subprocess.Popen, "__init__", lambda _self, args, **_kw: f"run {_words(args)}")
        self.wrap(
            subprocess.Popen, "communicate", lambda _self, *_args, **_kw: "wait for a program"
        )
        for name in ("connect", "sendall", "recv"):
            self.wrap(socket.socket, name, lambda *args, n=name: _describe_talk(n, *args))


_WRITE, _OPEN = os.write, os.open


def _name(path: object) -> str:
    return Path(os.fsdecode(path)).name if isinstance(path, str | bytes | os.PathLike) else "?"


def _describe_open(path: Any, flags: int, *_args: object, **_kw: object) -> str | None:
    return f"open {_name(path)}" if flags & os.O_CREAT else None


def _words(args: Any) -> str:
    words = [_name(word) for word in args] if isinstance(args, list | tuple) else [str(args)]
    return " ".join(words[:2])


def _describe_talk(name: str, connection: socket.socket, *args: Any) -> str | None:
    """Only HAProxy's sockets, which are the unix ones."""
    if connection.family != socket.AF_UNIX:
        return None
    if name == "sendall":
        return f"say {bytes(args[0])[:60]!r}"
    return f"connect {_name(args[0])}" if name == "connect" else "hear"


def main() -> int:
    """As the console script does, sabotaged."""
    sys.path.insert(0, str(Path(__file__).parent.parent.parent))
    saboteur = Saboteur(Path(os.environ["CRASH_PLAN"]), Path(os.environ["CRASH_LOG"]))
    from libra.cmd import worker
    from libra.jobs.gearman.session import GearmanJob
    from libra.worker import answer, daemon, dispatcher, keeper

    saboteur.wrap_all()
    saboteur.wrap(GearmanJob, "complete", lambda _job, _reply: "answer")
    _first(dispatcher, "read_job", lambda: saboteur.arm(JOB))
    _then(answer, "answer", lambda: saboteur.disarm(JOB))
    _then(keeper.ProxyKeeper, "_report", lambda: saboteur.disarm(START))
    saboteur.arm(START)
    # Being ready means here that the restore has ended, whatever the job server does.
    defaults = daemon.Timing.__init__.__kwdefaults__
    assert defaults is not None
    defaults["registration_grace"] = timedelta()
    return worker.main()


def _first(owner: Any, name: str, action: Callable[[], None]) -> None:
    inner = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        action()
        return inner(*args, **kwargs)

    setattr(owner, name, wrapped)


def _then(owner: Any, name: str, action: Callable[[], None]) -> None:
    inner = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return inner(*args, **kwargs)
        finally:
            action()

    setattr(owner, name, wrapped)


if __name__ == "__main__":
    sys.exit(main())
