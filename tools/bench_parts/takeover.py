"""The managing controller of two is killed, or frozen: how long until the other one manages, and how its API does.

PostgreSQL, a real gearmand, simulated devices; both controllers are processes of their own.
"""

import os
import signal
import statistics
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from libra.config.settings import JobServerSettings
from libra.simulation.fleet import SimulatedFleet, share_of_all
from tests.support.gearmand import Gearmand
from tests.support.postgres import Postgres, installed_binaries, running_postgres
from tools.bench_parts.api import percentiles
from tools.bench_parts.controlling import Ports, running_controller
from tools.bench_parts.restclient import LBAAS, RestClient, whole

ROUNDS, QUICK_ROUNDS = 5, 1
DEVICES = 10
READY_SECONDS = 60.0
QUIET_SECONDS = 3.0
PAUSE_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Seconds from the signal until a change made then was ACTIVE, and of each request before and after it."""

    active: float
    before: list[float]
    meanwhile: list[float]


def run(console: Console, *, quick: bool) -> None:
    """One table; says so where PostgreSQL is not installed."""
    if installed_binaries() is None:
        console.print("not measured: PostgreSQL is not installed")
        return
    rounds = QUICK_ROUNDS if quick else ROUNDS
    heads = ("median, s", "slowest, s", "API before, p50 and p99 ms", "meanwhile, p50 and p99 ms")
    table = Table("the manager is", *heads, title="a change is carried out after")
    with running_postgres() as server:
        for name, number in (("killed", signal.SIGKILL), ("frozen", signal.SIGSTOP)):
            found = [measure(server, number) for _ in range(rounds)]
            active = [item.active for item in found]
            times = f"{statistics.median(active):.2f}", f"{max(active):.2f}"
            before = _show([value for item in found for value in item.before])
            meanwhile = _show([value for item in found for value in item.meanwhile])
            table.add_row(name, *times, before, meanwhile)
    console.print(table)


def _show(seconds: list[float]) -> str:
    return ", ".join(f"{value * 1000:.1f}" for value in percentiles(seconds))


def measure(server: Postgres, number: signal.Signals) -> TakeOver:
    """On a database of its own."""
    with ExitStack() as stack:
        url = server.new_url()
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lb")))
        gearmand = stack.enter_context(Gearmand())
        first = stack.enter_context(running_controller(url, directory, gearmand.port))
        client = stack.enter_context(RestClient(first.api, first.token))
        client.put("/v1/device-pools/default", {"auto_enroll": True, "shared": True})
        servers = [JobServerSettings(port=gearmand.port)]
        to = "libra-controller"
        share = share_of_all(servers, DEVICES, name="sim{}", pool="default", announce_to=to)
        stack.enter_context(SimulatedFleet(share, 1))
        _await_devices(client)
        second = stack.enter_context(running_controller(url, directory, gearmand.port))
        with Asking(second) as asking:
            time.sleep(QUIET_SECONDS)
            before = asking.take()
            os.kill(first.pid, number)
            active = _change(second)
            meanwhile = asking.take()
        return TakeOver(active, before, meanwhile)


def _change(ports: Ports) -> float:
    """Seconds until it is ACTIVE."""
    with RestClient(ports.api, ports.token) as client:
        started = time.monotonic()
        made = client.post(f"{LBAAS}/loadbalancers", whole("shop", 80))["loadbalancer"]
        client.wait_active(made["id"])
        return time.monotonic() - started


def _await_devices(client: RestClient) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while len(client.get("/v1/devices?state=SPARE")["devices"]) < DEVICES:
        if time.monotonic() > deadline:
            raise SystemExit("cannot measure: the devices are not ready in time")
        time.sleep(0.1)


class Asking:
    """One client that lists load balancers again and again. `with Asking(ports) as asking: ... asking.take()`."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._seconds: list[float] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Asking":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def take(self) -> list[float]:
        """How long each request took since the last call."""
        taken, self._seconds = self._seconds, []
        return taken

    def _run(self) -> None:
        with RestClient(self._ports.api, self._ports.token) as client:
            while not self._stopping.wait(PAUSE_SECONDS):
                started = time.monotonic()
                client.get(f"{LBAAS}/loadbalancers")
                self._seconds.append(time.monotonic() - started)
