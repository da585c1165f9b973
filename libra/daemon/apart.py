"""Processes that are nobody's children: started so, looked at, and signalled."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

START_SECONDS = 10
# The shell ends at once, so what it started becomes the init process's child: it neither dies with this process nor
# stays behind as its zombie. The shell writes the process id down itself: we may die this moment, and whoever comes
# after us has to find a process that is still starting. Descriptor 3 carries the id back and is not for keeping.
_DETACH = """out=$1 err=$2 pid=$3; shift 3; exec 3>&1
"$@" >>"$out" 2>>"$err" 3>&- </dev/null & echo $! >"$pid"; echo $! >&3"""


def start_apart(
    words: Sequence[str],
    *,
    out: Path,
    err: Path,
    pid_file: Path,
    environ: Mapping[str, str] | None = None,
) -> int:
    """The process id of a command that appends to `out` and `err`. Raises OSError and SubprocessError."""
    started = subprocess.run(
        ["/bin/sh", "-c", _DETACH, "sh", str(out), str(err), str(pid_file), *words],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        cwd="/",
        env=environ,
        start_new_session=True,
        check=True,
        timeout=START_SECONDS,
    )
    return int(started.stdout)


def load_words(pid: int) -> list[bytes] | None:
    """Its command line: nothing where it starts itself anew this moment; None where there is no such process."""
    try:
        text = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return None
    return text.split(b"\0") if text else []


def has_ended(pid: int) -> bool:
    """Also true for a process that waits to be reaped by a lazy init process, with all its threads."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True
    return "\nState:\tX" in status or ("\nState:\tZ" in status and "\nThreads:\t1\n" in status)


def send(pid: int, number: signal.Signals) -> None:
    """A signal; no error where the process has ended meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
