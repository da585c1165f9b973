"""libra's programs in processes of their own, started by forks: see `tests.support.forkserver`.

What a program loads at its start takes half a second of a processor and more, and the tests start hundreds. With
LIBRA_FORKS=no they are started as anybody would; those that are about how a program starts always are.
"""

import atexit
import ctypes
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.support.forkserver import MAIN, PID, PROGRAMS

SERVER = Path(__file__).with_name("forkserver.py")
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
LOADED_SECONDS = 60.0
ROOM = "x" * 2000
_LIBC = ctypes.CDLL(None, use_errno=True)


class _Server:
    """One in each process of tests, from its first order to its end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._channel: socket.socket | None = None

    def fork(
        self,
        arguments: list[str],
        environ: dict[str, str],
        directory: str,
        namespace: str | None,
        streams: list[int],
    ) -> int:
        """The number of the new process, which is a child of this one. `namespace`: of the network."""
        packet = pickle.dumps((arguments, environ, directory, namespace))
        with self._lock:
            if self._channel is None:
                self._channel = self._start()
            # Orphans below this process become its children for a moment, instead of the first process's.
            _LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            try:
                socket.send_fds(self._channel, [packet], streams)
                answer = self._channel.recv(PID.size)
            finally:
                _LIBC.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        assert answer, "the server of forks has ended"
        (process,) = PID.unpack(answer)
        return int(process)

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # Ends when `ours` is closed, at the latest with this process.
            self._process = subprocess.Popen(
                [sys.executable, "-P", SERVER, str(theirs.fileno()), ROOM],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        ours.settimeout(LOADED_SECONDS)
        assert ours.recv(100) == b"ready"
        atexit.register(self._stop, ours)
        return ours

    def _stop(self, channel: socket.socket) -> None:
        channel.close()
        self._process.wait(LOADED_SECONDS)


_SERVER = _Server()


class Popen(subprocess.Popen[Any]):
    """As the one of the standard library, for a program of libra's, or one of the tests' own that is mostly that."""

    def _execute_child(  # type: ignore[misc, override]
        self, args: Any, executable: Any, *rest: Any
    ) -> None:
        preexec, _, passed, directory, environ, _, _, shell, *more = rest
        words = [os.fspath(word) for word in args]
        environ = dict(os.environ if environ is None else environ)
        asked = (preexec, passed, shell, executable, *more[7:])
        assert all(value in (None, False, (), -1) for value in asked), "more than a fork can do"
        namespace, words = _split(words)
        if not _can_fork(words, environ):
            return super()._execute_child(args, executable, *rest)  # type: ignore[misc, no-any-return]
        pipes = more[:6]  # input, output, errors: the end that is read, and the one that is written
        streams = [
            given if given != -1 else inherited
            for given, inherited in zip((pipes[0], pipes[3], pipes[5]), range(3), strict=True)
        ]
        self.pid = _SERVER.fork(
            words[1:] if words[0] == sys.executable else words,
            environ,
            os.fspath(directory or Path.cwd()),
            namespace,
            streams,
        )
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]
        return None


def _split(words: list[str]) -> tuple[str | None, list[str]]:
    """The network namespace, as `ip netns` names it, and the command in it."""
    if words[:3] == ["ip", "netns", "exec"]:
        return words[3], words[4:]
    return None, words


def _can_fork(words: list[str], environ: dict[str, str]) -> bool:
    """Not where the interpreter itself is told something."""
    told = {name: value for name, value in environ.items() if name.startswith("PYTHON")}
    ours = {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}
    known = _is_known(words[1:] if words[0] == sys.executable else words)
    return os.environ.get("LIBRA_FORKS") != "no" and told == ours and known


def _is_known(words: list[str]) -> bool:
    if words[0] == "-c":
        return MAIN.match(words[1]) is not None
    if words[0] == "-m":
        return words[1].startswith("libra.")
    program = Path(words[0])
    return program.name in PROGRAMS or program.suffix == ".py"


def run(
    args: Sequence[str | os.PathLike[str]],
    *,
    timeout: float,
    said: bytes | None = None,
    **fields: Any,
) -> "subprocess.CompletedProcess[Any]":
    """To its end, with all that it says kept; it reads `said`."""
    pipe, none = subprocess.PIPE, subprocess.DEVNULL
    with Popen(
        args, stdin=none if said is None else pipe, stdout=pipe, stderr=pipe, **fields
    ) as process:
        try:
            output, errors = process.communicate(said, timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(args, process.returncode, output, errors)


def _run_as_told(args: Any, *, capture_output: bool, check: bool, **fields: Any) -> Any:
    assert capture_output
    assert not check
    fields.pop("stdin", None)
    return run(args, **fields)


# For modules of libra's that start programs, in the place of `subprocess`.
STANDARD = SimpleNamespace(
    run=_run_as_told,
    TimeoutExpired=subprocess.TimeoutExpired,
    DEVNULL=subprocess.DEVNULL,
)
