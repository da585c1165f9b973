"""`tools/run` shows what it says, leaves nothing behind, and comes back where it was told to stay."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.support.haproxy import find_haproxy, socket_directory
from tests.support.ports import free_port, wait_until
from tests.support.web import get

__all__ = ["socket_directory"]

ROOT = Path(__file__).resolve().parents[2]
DEMO = [sys.executable, "-m", "tools.demo"]
WAIT = 120.0


def test_the_demo_goes_through_all_of_it(socket_directory: Path) -> None:
    find_haproxy("system")
    environ = {**os.environ, "TMPDIR": str(socket_directory)}
    done = subprocess.run(
        [*DEMO, "--demo"], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=WAIT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing left running" in done.stdout
    for action in ("DISCOVER", "STATS", "SUSPEND", "ENABLE", "DELETE"):
        assert f"libra job send {action} " in done.stdout
    assert re.search(r"the archive holds [1-9]\d* lines", done.stdout)
    assert re.search(r"back after \d+\.\d s", done.stdout)
    assert list(socket_directory.iterdir()) == []


def start(directory: Path) -> "tuple[subprocess.Popen[str], str]":
    """Running, and where its load balancer is."""
    command = [*DEMO, "--state-dir", str(directory), "--api-port", str(free_port())]
    job_port = str(free_port())
    command += ["--job-port", job_port, "--port", str(free_port())]
    narrow = {**os.environ, "COLUMNS": "60"}
    process = subprocess.Popen(command, cwd=ROOT, env=narrow, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = ""
    while "Ctrl-C stops everything" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    order = f".venv/bin/libra job send SUSPEND --device local --job-server 127.0.0.1:{job_port}"
    assert order in said.splitlines()  # whole, and nothing else beside it
    (url,) = set(re.findall(r"curl (http://127\.0\.1\.\d+:\d+/)", said))
    return process, url


def stop(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=WAIT)[0]
    assert process.returncode == 0, said


def ask(url: str) -> tuple[int, str]:
    host, _, port = url.removeprefix("http://").rstrip("/").partition(":")
    return get(int(port), host=host)


def test_started_again_in_its_directory_it_comes_back(socket_directory: Path) -> None:
    find_haproxy("system")
    process, first = start(socket_directory / "state")
    assert ask(first)[0] == 200
    stop(process)
    process, second = start(socket_directory / "state")
    assert second == first
    bodies: set[str] = set()
    wait_until(lambda: bodies.add(ask(first)[1]) or len(bodies) == 2, timeout=60, what="both")
    stop(process)


def test_a_port_that_somebody_has_is_told(socket_directory: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*DEMO, "--api-port", port], cwd=ROOT, capture_output=True, text=True, timeout=WAIT
        )
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: somebody else does; choose another --api-port" in (
        done.stdout
    )
