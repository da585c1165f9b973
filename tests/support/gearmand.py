"""A real gearmand on a free port, which can be killed, frozen and started again."""

import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from tests.support.ports import LOOPBACK, accepts, free_port, wait_until
from tests.support.programs import find_program

START_SECONDS = 10.0
STOP_SECONDS = 5.0


class Gearmand:
    """One gearmand process. `with Gearmand() as server: ... server.port`."""

    host = LOOPBACK

    def __init__(self, *arguments: str, port: int | None = None) -> None:
        self._program = find_program("gearmand", package="gearman-job-server")
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._directory = tempfile.TemporaryDirectory(prefix="lb")
        self.port = port or free_port()
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._directory.cleanup()

    def start(self) -> None:
        """Start it (again) on the same port, and return once it accepts connections."""
        # It deletes its pid file when it ends, whatever that is: never name a device here.
        pid_file = f"{self._directory.name}/pid"
        user = ("--user", "root") if os.geteuid() == 0 else ()
        self._process = subprocess.Popen(
            [
                *(self._program, "--listen", LOOPBACK, "--port", str(self.port)),
                *("--log-file", "none", "--pid-file", pid_file, *user, *self._arguments),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_SECONDS
        while not accepts(self.port):
            assert self._process.poll() is None, "gearmand ended at once"
            assert time.monotonic() < deadline, "gearmand does not listen"
            time.sleep(0.005)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def freeze(self) -> None:
        """It answers nothing any more, but its connections stay, and the kernel accepts new ones."""
        self.send(signal.SIGSTOP)
        # The signal is sent, but its threads stop one by one, and until then they answer.
        wait_until(self._is_frozen, what="gearmand to stand still")

    def thaw(self) -> None:
        """It goes on."""
        self.send(signal.SIGCONT)

    def kill(self) -> None:
        """A crash: kill -9. What it had in memory is lost."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it; frozen or dead already is fine."""
        if self._process is not None:
            self.thaw()
            self._end(signal.SIGTERM)

    def _is_frozen(self) -> bool:
        assert self._process is not None
        tasks = Path(f"/proc/{self._process.pid}/task").iterdir()
        return all("\nState:\tT" in (task / "status").read_text() for task in tasks)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


def read_admin(port: int, command: str) -> dict[bytes, list[bytes]]:
    """The table that `status` answers: by function its jobs, those running, and its workers."""
    with socket.create_connection((LOOPBACK, port), timeout=10) as sock:
        sock.sendall(command.encode() + b"\n")
        answer = b""
        while not answer.endswith(b".\n"):
            piece = sock.recv(65536)
            assert piece, "the job server closed the connection"
            answer += piece
    rows = [line.split(b"\t") for line in answer.splitlines()[:-1]]
    return {row[0]: row[1:] for row in rows}
