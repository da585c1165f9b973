"""`libra up` as a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support import forking
from tests.support.cli import invoke_really
from tests.support.control import READY
from tests.support.haproxy import find_haproxy, is_running, stop_master
from tests.support.ports import free_port, wait_until
from tests.support.web import get

LIBRA = Path(sys.executable).parent / "libra"
WAIT = 60.0


class Fleet:
    """One `libra up`, and the commands of a person beside it."""

    def __init__(self, directory: Path) -> None:
        find_haproxy("system")
        self.directory = directory / "up"
        self.api_port, self.job_port = free_port(), free_port()
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [str(LIBRA), "up", "--state-dir", str(self.directory)]
        ports = ["--api-port", str(self.api_port), "--job-port", str(self.job_port)]
        self.process = forking.Popen([*command, *ports], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        lines = [self.process.stdout.readline() for _ in range(5)]
        assert lines[1] == f"API          http://127.0.0.1:{self.api_port}\n", lines
        wait_until(lambda: self.device()["state"] in READY, timeout=WAIT, what="the worker")

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(WAIT)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    def run(self, *arguments: str, status: int = 0) -> str:
        """In this process: one of its own takes ten times as long, and is tried in test_cli.py."""
        done = invoke_really(
            *arguments,
            LIBRA_API_URL=f"http://127.0.0.1:{self.api_port}",
            LIBRA_API_TOKEN_FILE=str(self.directory / "admin-token"),
        )
        assert done.exit_code == status, done.stderr
        return done.stdout if status == 0 else done.stderr

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "-o", "json"))

    def device(self) -> Any:
        return self.json("device", "show", "local")

    def pids(self, text: str) -> list[int]:
        """Processes whose command line holds this and the directory."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if text in line and f"{self.directory}/" in line and is_running(int(path.parent.name)):
                found.append(int(path.parent.name))
        return found


@contextmanager
def fleet_in(directory: Path) -> Iterator[Fleet]:
    """Not started yet; nothing of it is left."""
    fleet = Fleet(directory)
    try:
        yield fleet
    finally:
        if fleet.process is not None and fleet.process.poll() is None:
            fleet.process.kill()
            fleet.process.wait()
        for pid in fleet.pids("libra.cmd.worker"):
            os.kill(pid, signal.SIGKILL)
        stop_master(fleet.directory / "worker" / "master.sock")


def is_served(host: str, port: int) -> bool:
    try:
        return get(port, host=host)[0] == 200
    except OSError:
        return False
