"""Detaching: what the caller learns, and how the daemon ends. Each case in a process of its own, as fork wants it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# The script becomes the subreaper, so that the daemon is its child to wait for when daemonize's caller is gone.
SCRIPT = """
import ctypes, json, os, signal, sys, time
from pathlib import Path
from libra.daemon.detach import detach
from libra.errors import Conflict, LibraError
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
pid_file = Path(sys.argv[1])
def action(ready):
{body}
try:
    fault = detach("test", pid_file, action).fault
except LibraError as error:
    fault = "refused: " + str(error)
try:
    status = os.waitstatus_to_exitcode(os.wait()[1])
except ChildProcessError:
    status = None
print(json.dumps([fault, status, pid_file.exists()]))
"""


def launched(pid_file: Path, *body: str) -> Any:
    """[fault, the daemon's exit status, whether the pid file is still there]."""
    script = SCRIPT.replace("{body}", "\n".join(f"    {line}" for line in body))
    done = subprocess.run(
        [sys.executable, "-c", script, str(pid_file)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture
def pid_file(tmp_path: Path) -> Path:
    return tmp_path / "run" / "test.pid"


def test_ready_then_a_status_of_its_own(pid_file: Path) -> None:
    assert launched(pid_file, "ready()", "return 7") == ["", 7, False]


def test_an_error_before_it_is_ready_is_told(pid_file: Path) -> None:
    assert launched(pid_file, "raise Conflict('cannot do it: é')") == ["cannot do it: é", 1, False]


@pytest.mark.parametrize(
    "after", ["raise Conflict('later')", "raise OSError('later')", "sys.exit()"]
)
def test_an_error_after_it_is_ready_is_a_bad_status(pid_file: Path, after: str) -> None:
    """daemonize alone would end with status 0."""
    assert launched(pid_file, "ready()", after) == ["", 1, False]


def test_an_unexpected_error_names_its_type_only(pid_file: Path) -> None:
    assert launched(pid_file, "raise KeyError('token')") == ["internal error: KeyError", 1, False]


def test_a_daemon_that_dies_without_a_word(pid_file: Path) -> None:
    fault, status, _ = launched(pid_file, "os.kill(os.getpid(), signal.SIGKILL)")
    assert (fault, status) == ("cannot start: the daemon ended before it was ready", -9)


def test_the_pid_file_holds_the_daemons_pid_and_a_lock(pid_file: Path) -> None:
    fault, status, _ = launched(
        pid_file,
        "assert int(pid_file.read_text()) == os.getpid() != os.getppid()",
        "from libra.daemon.lockfile import LockFile",
        "LockFile(pid_file)",
    )
    assert fault.startswith(f"cannot lock {pid_file}: it is held by a running process, pid ")
    assert status == 1


def test_a_locked_pid_file_is_left_as_it_is(pid_file: Path) -> None:
    pid_file.parent.mkdir()
    pid_file.write_text("4711")
    holder = (
        "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, 2); print(1, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(pid_file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert launched(pid_file, "return 0") == [
            f"refused: cannot lock {pid_file}: it is held by a running process, pid 4711",
            None,
            True,
        ]
        assert pid_file.read_text() == "4711"
        process.communicate(b"\n")


def test_sigterm_before_it_is_ready(pid_file: Path) -> None:
    fault, status, left = launched(
        pid_file, "os.kill(os.getpid(), signal.SIGTERM)", "time.sleep(30)"
    )
    assert (fault, status, left) == ("internal error: SystemExit", 1, False)
