"""Which process is the master: what the file says counts only where the kernel agrees."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from libra.daemon.apart import has_ended, load_words
from libra.drivers.haproxy.processes import MasterPid, load_children


@pytest.fixture
def pid_file(tmp_path: Path) -> Path:
    return tmp_path / "haproxy.pid"


@pytest.fixture
def child() -> "Iterator[subprocess.Popen[bytes]]":
    """A process that runs on a file; it ends with its standard input."""
    program = "import sys; print('ready', flush=True); sys.stdin.read()"
    words = [sys.executable, "-c", program, "-f", "/etc/haproxy.cfg"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process


def test_a_process_on_our_file_is_the_master(
    pid_file: Path, child: "subprocess.Popen[bytes]"
) -> None:
    master = MasterPid(pid_file, Path("/etc/haproxy.cfg"))
    pid_file.write_text(f"{child.pid}\n")
    assert master.load() == child.pid
    assert master.is_ours(child.pid)
    assert child.pid in load_children(os.getpid())


def test_a_process_that_got_its_number_is_not(
    pid_file: Path, child: "subprocess.Popen[bytes]"
) -> None:
    master = MasterPid(pid_file, Path("/etc/other.cfg"))
    pid_file.write_text(f"{child.pid}\n")
    assert master.load() is None
    assert not master.is_ours(child.pid)


def test_one_that_waits_to_be_reaped_has_ended(
    pid_file: Path, child: "subprocess.Popen[bytes]"
) -> None:
    assert not has_ended(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert has_ended(child.pid)
    pid_file.write_text(f"{child.pid}\n")
    assert MasterPid(pid_file, Path("/etc/haproxy.cfg")).load() is None
    child.wait()
    assert has_ended(child.pid)
    assert load_words(child.pid) is None
    assert load_children(child.pid) == ()


@pytest.mark.parametrize("text", [None, "", "x", "-1", "0"])
def test_a_file_without_a_number_names_nobody(pid_file: Path, text: str | None) -> None:
    if text is not None:
        pid_file.write_text(text)
    assert MasterPid(pid_file, Path("/etc/haproxy.cfg")).load() is None
