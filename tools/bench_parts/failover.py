"""`kill -9` of a worker and its HAProxy until traffic flows on a spare device: one at a time, and 50 at once.

Workers and HAProxies are real, each device's in a directory of its own, booted as the local provider boots them; each
load balancer has an address of its own on loopback. Devices are probed every second; the brake is off.
"""

import os
import signal
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from libra.config.controller import ProviderSettings
from libra.config.settings import JobServerSettings, Settings
from libra.errors import LibraError
from libra.providers.base import Host
from libra.providers.local import ADDRESS, LOCK, PROXY_CONFIG, STATE, LocalProvider
from tools.bench_parts.controlling import Ports, running_controller
from tools.bench_parts.member import running_member
from tools.bench_parts.restclient import LBAAS, PORT, RestClient, whole

POOL = "default"
ROUNDS, QUICK_ROUNDS = 7, 2
AT_ONCE, QUICK_AT_ONCE = 50, 3
PATIENCE_SECONDS = 180.0
LOOK_SECONDS = 0.005
BOOTS = 4  # at a time
REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Failover:
    """Seconds from the kill: until the device was known to be dead, and until its traffic flowed elsewhere."""

    detected: float
    flows: float


def run(console: Console, *, quick: bool) -> None:
    """One table."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    at_once = QUICK_AT_ONCE if quick else AT_ONCE
    table = Table("killed", "detected, s", "then moved, s", "traffic again, s", "slowest, s")
    _add_row(table, "one", measure(1, rounds))
    _add_row(table, f"{at_once} at once", measure(at_once, 1))
    console.print(table)


def _add_row(table: Table, name: str, found: Sequence[Failover]) -> None:
    detected = statistics.median(item.detected for item in found)
    moved = statistics.median(item.flows - item.detected for item in found)
    flows = [item.flows for item in found]
    shown = (detected, moved, statistics.median(flows), max(flows))
    table.add_row(name, *(f"{seconds:.2f}" for seconds in shown))


def measure(count: int, rounds: int) -> list[Failover]:
    """`count` devices die in each round, and as many are spare."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lb")))
        member = stack.enter_context(running_member())
        url = f"sqlite:///{directory}/libra.db"
        ports = stack.enter_context(running_controller(url, directory, 0))
        client = stack.enter_context(RestClient(ports.api, ports.token))
        fleet = Fleet(directory, ports, client)
        stack.callback(fleet.close)
        fleet.boot(2 * count)
        fleet.create(count, member)
        return [item for _ in range(rounds) for item in fleet.fail_over(count)]


class Fleet:
    """Real devices, and load balancers spread over half of them."""

    def __init__(self, directory: Path, ports: Ports, client: RestClient) -> None:
        self._directory = directory
        self._client = client
        self._addresses: list[str] = []
        self._provider = LocalProvider(
            Settings(
                job_servers=(JobServerSettings(port=ports.jobs),),
                providers=ProviderSettings(local_dir=directory, local_most=1000),
            ),
            POOL,
        )
        pool = {"auto_enroll": True, "shared": True, "probe_seconds": 1}
        limits = {"brake_percent": 100, "max_parallel_failovers": 1000}
        client.put(f"/v1/device-pools/{POOL}", {**pool, **limits})

    def boot(self, count: int) -> None:
        """That many devices are spare."""
        names = [f"{POOL}-{number}" for number in range(1, count + 1)]
        self._boot(names)
        self._await(lambda: len(self._devices("SPARE")) == count)

    def create(self, count: int, member: int) -> None:
        """A load balancer on each of so many devices."""
        for number in range(count):
            body = whole(f"lb{number}", member, monitored=False)
            made = self._client.post(f"{LBAAS}/loadbalancers", body)["loadbalancer"]
            self._client.wait_active(made["id"])
            self._addresses.append(made["vip_address"])
        self._await(lambda: all(map(_flows, self._addresses)))

    def fail_over(self, count: int) -> list[Failover]:
        """All that have one are killed; they are back, and spare, when it returns."""
        victims = self._devices("ASSIGNED")
        assert len(victims) == count
        pids = [pid for item in victims for pid in self._pids(item["name"])]
        killed = time.time()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        while any(map(_command, pids)):  # one that dies may still answer
            time.sleep(LOOK_SECONDS)
        flows = self._await_traffic()
        detected = [self._detected(item["id"], killed) for item in victims]
        self._boot([item["name"] for item in victims])
        self._await(lambda: len(self._devices("SPARE")) == count)
        ended = [at - killed for at in flows]
        return [Failover(*both) for both in zip(sorted(detected), sorted(ended), strict=True)]

    def close(self) -> None:
        """Every worker and HAProxy."""
        for host in self._provider.list():
            with suppress(LibraError):
                self._provider.shutdown(host.name)

    def _boot(self, names: Sequence[str]) -> None:
        hosts = [Host(name=name, address=ADDRESS) for name in names]
        with ThreadPoolExecutor(BOOTS) as pool:
            list(pool.map(self._provider.boot, hosts))

    def _await_traffic(self) -> list[float]:
        """When each load balancer answered again."""
        ended: dict[str, float] = {}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(ended) < len(self._addresses) and time.monotonic() < deadline:
            for address in self._addresses:
                if address not in ended and _flows(address):
                    ended[address] = time.time()
            time.sleep(LOOK_SECONDS)
        if len(ended) < len(self._addresses):
            raise SystemExit("cannot measure: not everything was moved")
        return list(ended.values())

    def _detected(self, device: str, killed: float) -> float:
        path = f"/v1/events?kind=device.error&subject_id={device}&limit=1000"
        times = [
            datetime.fromisoformat(event["at"]).timestamp()
            for event in self._client.get(path)["events"]
        ]
        return max(times) - killed

    def _devices(self, state: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._client.get("/v1/devices?limit=1000")["devices"]
        return [item for item in found if item["state"] == state]

    def _pids(self, name: str) -> list[int]:
        """Its worker's, and those of all its HAProxy processes."""
        directory = self._directory / name
        worker = int((directory / STATE / LOCK).read_text())
        wanted = str(directory / PROXY_CONFIG).encode()
        return [worker, *(pid for pid in _all_pids() if wanted in _command(pid))]

    def _await(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise SystemExit("cannot measure: the devices are not ready in time")
            time.sleep(0.1)


def _all_pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return b""


def _flows(address: str) -> bool:
    """Whether a request is answered with 200."""
    with suppress(OSError), socket.create_connection((address, PORT), timeout=1.0) as sock:
        sock.sendall(REQUEST)
        return sock.recv(4096).startswith(b"HTTP/1.1 200")
    return False
