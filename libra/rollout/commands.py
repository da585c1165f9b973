"""Runs the command that changes a node, to its end or to its deadline."""

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO

from libra.errors import LibraError
from libra.rollout.options import Options
from libra.rollout.templates import Node, fill_shell, fill_words

LOOK_SECONDS = 0.05
GRACE_SECONDS = 10.0  # for one that was told to end
LONGEST_LINE = 4096
Line = Callable[[str], None]


class ActionFailed(LibraError):
    """What was to be done to a node was not; the text says why."""


def run_command(options: Options, node: Node, told: Line, cancelled: threading.Event) -> None:
    """Gives every line of its output to `told`. Raises `ActionFailed`."""
    words = _build(options, node)
    # Not a pipe: what the command leaves running in the background keeps its output, and would never let it end.
    with tempfile.TemporaryFile() as output:
        process = _start(words, node, output)
        try:
            status = _wait(
                process, options.command_timeout, _Tail(output.fileno(), told), cancelled
            )
        finally:
            _end(process)
    if status != 0:
        raise ActionFailed(_tell(status))


def _build(options: Options, node: Node) -> Sequence[str]:
    if options.shell:
        return ["/bin/sh", "-c", fill_shell(" ".join(options.command), node)]
    return fill_words(options.command, node)


def _start(words: Sequence[str], node: Node, output: IO[bytes]) -> "subprocess.Popen[bytes]":
    """In a session of its own: a Ctrl-C that is meant for the rollout does not reach it."""
    try:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **_variables(node)},
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ActionFailed(f"cannot run {words[0]!a}: {reason}") from error


def _variables(node: Node) -> Mapping[str, str]:
    return {f"LIBRA_{name.upper()}": value for name, value in node.values().items()}


def _wait(
    process: "subprocess.Popen[bytes]", seconds: float, tail: "_Tail", cancelled: threading.Event
) -> int:
    deadline = time.monotonic() + seconds
    while True:
        with suppress(subprocess.TimeoutExpired):
            status = process.wait(LOOK_SECONDS)
            tail.read(whole=True)
            return status
        tail.read()
        if cancelled.is_set():
            raise ActionFailed("the command was ended with the rollout")
        if time.monotonic() > deadline:
            raise ActionFailed(f"the command has not ended after {seconds:g} s")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """With all that it started, where it has not ended by itself."""
    if process.poll() is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
            return


def _tell(status: int) -> str:
    if status < 0:
        return f"the command was killed by signal {-status}"
    return f"the command ended with status {status}"


class _Tail:
    """The lines of a file that another process writes."""

    def __init__(self, file: int, told: Line) -> None:
        self._file = file
        self._told = told
        self._at = 0
        self._rest = b""

    def read(self, *, whole: bool = False) -> None:
        """What is new; with `whole` also a last line that has no end."""
        while block := os.pread(self._file, 65_536, self._at):
            self._at += len(block)
            *lines, self._rest = (self._rest + block).split(b"\n")
            self._rest = self._rest[-LONGEST_LINE:]
            for line in lines:
                self._tell(line)
        if whole and self._rest:
            self._tell(self._rest)
            self._rest = b""

    def _tell(self, line: bytes) -> None:
        self._told(line[:LONGEST_LINE].decode(errors="replace").rstrip("\r"))
