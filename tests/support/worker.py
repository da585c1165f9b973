"""The installed libra-worker as a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml

from libra.config.settings import JobServerSettings
from libra.jobs.gearman import GearmanJobClient
from libra.messages.codec import JsonObject, decode, encode
from tests.support import forking
from tests.support.ports import LOOPBACK, wait_until

SCRIPT = Path(sys.executable).with_name("libra-worker")
WAIT = 60.0  # for what takes a second at most, on a machine that has much else to do


class NotifySocket:
    """Plays the service manager's side of sd_notify. Times in `lines` are the test's own."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self.lines: list[str] = []

    def wait_for(self, start: str, *, times: int = 1, timeout: float = WAIT) -> str:
        """The line that begins so; earlier ones count too, unless `forget` was called."""
        deadline = time.monotonic() + timeout
        while len(found := [line for line in self.lines if line.startswith(start)]) < times:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                self.lines.extend(self._socket.recv(65536).decode().split("\n"))
            except TimeoutError:
                raise AssertionError(f"no {start} in {self.lines[-10:]}") from None
        return found[-1]

    def forget(self) -> None:
        """Read away what has come."""
        self._socket.setblocking(False)
        try:
            while True:
                self._socket.recv(65536)
        except BlockingIOError:
            self.lines.clear()

    def close(self) -> None:
        self._socket.close()


class WorkerProcess:
    """Settings, state and log below `directory`; `sections` are merged over the defaults made here.

    `path` goes to PYTHONPATH, for drivers that a test brings along. Started in the foreground unless told otherwise.
    """

    name = "web1"

    def __init__(
        self,
        directory: Path,
        job_ports: Sequence[int],
        *,
        path: Path | None = None,
        environ: Mapping[str, str] | None = None,
        **sections: Mapping[str, object],
    ) -> None:
        self.directory = directory
        self.config = directory / "libra.yaml"
        self.state_dir = directory / "state"
        self.pid_file = directory / "run" / "worker.pid"
        self.log_file = directory / "worker.log"
        self.ports = tuple(job_ports)
        self.settings: dict[str, Any] = {
            "worker": {
                "name": self.name,
                "driver": "noop",
                "state_dir": str(self.state_dir),
                "pid_file": str(self.pid_file),
                "drain_seconds": 10,
            }
        }
        self.serve(*self.ports, **sections)
        self.environ = {**os.environ, **(environ or {})}
        if path is not None:
            self.environ["PYTHONPATH"] = str(path)
        self.process: subprocess.Popen[bytes] | None = None

    def serve(self, *job_ports: int, **sections: Mapping[str, object]) -> None:
        """Write the settings, with these changed."""
        self.ports = tuple(job_ports)
        self.settings["job_servers"] = [{"host": LOOPBACK, "port": port} for port in job_ports]
        for name, values in sections.items():
            self.settings[name] = {**self.settings.get(name, {}), **values}
        beside = self.config.with_suffix(".new")
        beside.write_text(yaml.safe_dump(self.settings))
        beside.replace(self.config)  # whole, for a worker may be reading it

    def start(self, *arguments: str) -> Self:
        """In the foreground, with its log in a file; returns at once."""
        with self.log_file.open("ab") as log:
            self.process = forking.Popen(
                [SCRIPT, "--config", self.config, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environ,
            )
        return self

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """To its end, as with --daemon or --check."""
        return forking.run(
            [SCRIPT, "--config", self.config, *arguments],
            text=True,
            env=self.environ,
            timeout=2 * WAIT,
        )

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def wait_log(self, text: str, *, times: int = 1) -> None:
        """Return once the log holds the text so often."""
        wait_until(
            lambda: self.log_file.exists() and self.log.count(text) >= times,
            timeout=WAIT,
            what=f"{text!r} in the log",
        )

    def wait_ready(self, *, times: int = 1) -> Self:
        """Return once it says so, or fail with its log where it ended before."""
        try:
            self.wait_log("info     ready", times=times)
        except AssertionError:
            raise AssertionError(f"not ready:\n{self.log}") from None
        return self

    def ask(self, action: str, *, timeout: float = WAIT, **fields: object) -> JsonObject:
        """The reply to one job."""
        client = GearmanJobClient(
            [JobServerSettings(host=LOOPBACK, port=port) for port in self.ports]
        )
        try:
            payload = encode({"hpcs_action": action, **fields})
            return decode(client.submit(self.name, payload, timeout=timeout))
        finally:
            client.close()

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status after the signal."""
        assert self.process is not None
        self.send(number)
        return self.process.wait(WAIT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(WAIT)


HELD_DRIVER = '''
"""The noop driver, whose `apply` waits while a file is there: one that another package brings."""

import os
import time
from pathlib import Path

from libra.drivers.noop import NoopDriver

HOLD = Path(os.environ["HELD_BY"])
ENTERED = HOLD.with_name("entered")


def create_driver(settings):
    return HeldDriver()


class HeldDriver(NoopDriver):
    name = "held"

    def apply(self, desired, meanwhile=None):
        ENTERED.touch()
        deadline = time.monotonic() + 60
        while HOLD.exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        super().apply(desired, meanwhile)
'''


class HeldDriver:
    """A driver plug-in in `directory`, found by its entry point; `hold` makes every change wait until `let_go`."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "plugin"
        info = self.path / "held_driver-1.0.dist-info"
        info.mkdir(parents=True)
        (self.path / "held_driver.py").write_text(HELD_DRIVER)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: held-driver\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            "[libra.drivers]\nheld = held_driver:create_driver\n"
        )
        self._hold = directory / "hold"
        self.environ = {"HELD_BY": str(self._hold)}

    def hold(self) -> None:
        self._hold.with_name("entered").unlink(missing_ok=True)
        self._hold.touch()

    def wait_entered(self) -> None:
        """Return once a change waits."""
        wait_until(self._hold.with_name("entered").exists, timeout=WAIT, what="a held change")

    def let_go(self) -> None:
        self._hold.unlink(missing_ok=True)
