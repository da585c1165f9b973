"""What the demonstration plays on: `libra up` as a process of its own, and commands that are shown as they are run."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console

from tools.demo.servers import LOOPBACK, SampleWebServer, accepts, choose_port, is_free

BIN = Path(sys.executable).parent
DEVICE = "local"
START_SECONDS = 30.0
STOP_SECONDS = 100.0
LBAAS = "/load-balancer/v2.0/lbaas"
Json = dict[str, Any]

console = Console(highlight=False, soft_wrap=True)


class DemoFailed(Exception):
    """Something did not do what it should; the text says what."""


def wait_for(what: str, ready: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Returns as soon as `ready()`; raises `DemoFailed` at the deadline."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise DemoFailed(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.05)


def prove(sentence: str, holds: bool) -> None:
    """A line with a tick, or the end."""
    if not holds:
        raise DemoFailed(f"not so: {sentence}")
    console.print(f"  [green]✓[/] {sentence}")


class Stage:
    """The running system: everything it starts, it stops. Without a state directory nothing of it stays."""

    def __init__(
        self, stack: ExitStack, state_dir: Path | None, ports: tuple[int | None, int | None]
    ) -> None:
        self._stack = stack
        self.is_kept = state_dir is not None
        self.directory = state_dir.absolute() if state_dir else Path(tempfile.mkdtemp(prefix="lb-"))
        if not self.is_kept:
            stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
        self.api_port = _need(choose_port(ports[0], 8111), "--api-port")
        self.job_port = _need(choose_port(ports[1], 4730), "--job-port")
        self.servers = [SampleWebServer(name) for name in ("web-1", "web-2")]
        for server in self.servers:
            stack.callback(server.close)

    @property
    def api(self) -> str:
        """Where the REST API is."""
        return f"http://{LOOPBACK}:{self.api_port}"

    @property
    def token_file(self) -> Path:
        """The administrator's token."""
        return self.directory / "admin-token"

    def start(self) -> None:
        """`libra up`, until its worker has answered."""
        command = ["libra", "up", "--state-dir", str(self.directory)]
        command += ["--api-port", str(self.api_port), "--job-port", str(self.job_port)]
        command += ["--object-store", f"http://{LOOPBACK}:*"]
        show(command)
        self.directory.mkdir(parents=True, exist_ok=True)
        log = self._stack.enter_context((self.directory / "up.log").open("ab"))
        process = subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us, who stop it in its turn
        )
        self._stack.callback(stop, process)
        wait_for("the first answer of the worker", lambda: self._is_ready(process))

    def _is_ready(self, process: "subprocess.Popen[bytes]") -> bool:
        if process.poll() is not None:
            said = (self.directory / "up.log").read_text(errors="replace").strip()
            raise DemoFailed(f"libra up ended with {process.returncode}:\n{said[-2000:]}")
        if not accepts(LOOPBACK, self.api_port) or not self.token_file.exists():
            return False
        device = self.call("GET", f"/v1/devices/{DEVICE}")["device"]
        return device["state"] in ("SPARE", "ASSIGNED")

    def run(self, *command: str, secrets: dict[str, str] | None = None) -> None:
        """A command as a person types it, with its output."""
        show(command)
        environ = {**os.environ, **(secrets or {}), **self.environ()}
        done = subprocess.run(
            [str(BIN / command[0]), *command[1:]], env=environ, timeout=120, check=False
        )
        if done.returncode:
            raise DemoFailed(f"it ended with {done.returncode}; logs are in {self.directory}")

    def send(self, action: str) -> None:
        """A job by hand: the controller is not asked."""
        server = f"{LOOPBACK}:{self.job_port}"
        self.run("libra", "job", "send", action, "--device", DEVICE, "--job-server", server)

    def environ(self) -> dict[str, str]:
        """What commands need to find the API."""
        return {"LIBRA_API_URL": self.api, "LIBRA_API_TOKEN_FILE": str(self.token_file)}

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        """One request to the REST API; raises `DemoFailed` with its words."""
        request = urllib.request.Request(
            self.api + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "X-Auth-Token": self.token_file.read_text().strip(),
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return dict(json.loads(answer.read() or b"{}"))
        except urllib.error.HTTPError as error:
            raise DemoFailed(f"{method} {path}: {error} {error.read().decode()}") from error

    def find(self, name: str) -> Json | None:
        """A load balancer by its name."""
        found = self.call("GET", f"{LBAAS}/loadbalancers?name={name}")["loadbalancers"]
        return dict(found[0]) if found else None

    def wait_active(self, loadbalancer_id: str) -> None:
        """Until the device runs it."""
        path = f"{LBAAS}/loadbalancers/{loadbalancer_id}"

        def is_active() -> bool:
            status = self.call("GET", path)["loadbalancer"]["provisioning_status"]
            if status == "ERROR":
                raise DemoFailed(f"the load balancer is in ERROR; see {self.directory}/worker.log")
            return bool(status == "ACTIVE")

        wait_for("ACTIVE", is_active)


def show(command: Sequence[str]) -> None:
    """As typed."""
    console.print(f"[bold green]$[/] {shlex.join(command)}", markup=True)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """TERM, then KILL."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


def _need(port: int, option: str) -> int:
    if not is_free(port, LOOPBACK):
        raise DemoFailed(
            f"cannot listen on {LOOPBACK}:{port}: somebody else does; choose another {option}"
        )
    return port
