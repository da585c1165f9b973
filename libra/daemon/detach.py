"""Leaves the terminal by the package daemonize, around its traps.

Left alone, daemonize lets the caller go before the daemon has started, closes every file number up to the limit one by
one, keeps root's supplementary groups, and swallows what the daemon raises: status 0 whatever happened. So here the
caller waits for a word on a pipe, and the daemon ends with its own status and never returns into daemonize.
"""

import logging
import os
import select
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

from libra.daemon.lockfile import LockFile
from libra.errors import LibraError

FAILED = 1
READY = b"ready"
START = timedelta(minutes=3)

Action = Callable[[Callable[[], None]], int]


@dataclass(frozen=True, slots=True)
class Launched:
    """What the caller's process learns: `fault` is empty once the daemon is ready."""

    fault: str


def detach(name: str, pid_file: Path, action: Action) -> Launched:
    """Run `action(ready)` as a daemon; returns in the caller's process only, when the daemon is ready or has failed.

    `action` calls `ready` once, and returns the daemon's exit status. Until then the text of a `LibraError` that it
    raises is what the caller sees. Raises `LibraError` where the pid file is held by a running daemon or cannot be
    written. Fork while there is one thread only.
    """
    # Of two that start at once, daemonize lets the one that comes late write into the pid file what it held before.
    with LockFile(pid_file.with_name(f"{pid_file.name}.lock")) as starting:
        starting.write_pid()
        with LockFile(pid_file):
            pass  # found out here, with a sentence; daemonize locks it again for the daemon's life
        reader, writer = os.pipe()
        try:
            _launch(name, pid_file, action, writer)
        finally:
            os.close(writer)
        return Launched(fault=_await(reader))


def _launch(name: str, pid_file: Path, action: Action, writer: int) -> None:
    """Both processes leave daemonize here by SystemExit or not at all: the caller returns, the daemon ends."""
    from daemonize import Daemonize

    caller = os.getpid()
    silent = logging.getLogger(__name__)
    silent.addHandler(logging.NullHandler())
    daemon = Daemonize(
        app=name,
        pid=str(pid_file),
        action=lambda: _be_daemon(action, pid_file, _Word(writer), {writer, *daemon.keep_fds}),
        auto_close_fds=False,
        logger=silent,
    )
    try:
        daemon.start()
    except SystemExit:
        if os.getpid() != caller:
            os._exit(FAILED)


class _Word:
    """The daemon's one word to its caller."""

    def __init__(self, writer: int) -> None:
        self._writer: int | None = writer

    def say(self, word: bytes) -> None:
        """The first one counts; after it the file number may be somebody else's."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(OSError):
                os.write(writer, word)
            os.close(writer)


def _be_daemon(action: Action, pid_file: Path, word: _Word, keep: set[int]) -> NoReturn:
    """The daemon's whole life, which ends here: `atexit` of daemonize would turn every end into status 0."""
    status = FAILED
    try:
        _leave_behind(keep)
        status = action(lambda: word.say(READY))
    except LibraError as error:
        word.say(str(error).encode())
    except BaseException as error:
        logging.getLogger(__name__).exception("the daemon failed")
        word.say(f"internal error: {type(error).__name__}".encode())
    finally:
        with suppress(OSError):
            pid_file.unlink()
        logging.shutdown()
        os._exit(status)


def _leave_behind(keep: set[int]) -> None:
    """What the caller had open, and root's supplementary groups."""
    for low, high in pairwise([2, *sorted(keep), os.sysconf("SC_OPEN_MAX")]):
        os.closerange(low + 1, high)
    if os.geteuid() == 0:
        os.setgroups([])


def _await(reader: int) -> str:
    """The fault that the daemon tells of, or that it ended or hangs without a word."""
    deadline = time.monotonic() + START.total_seconds()
    heard = b""
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            part = pipe.read(4096)
            heard += part
            if not part or heard == READY:
                break
        else:
            return f"cannot say whether the daemon is ready: it said nothing for {START}"
    if heard == READY:
        return ""
    return heard.decode("utf-8", "replace") or "cannot start: the daemon ended before it was ready"
