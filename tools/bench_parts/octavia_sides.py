"""Who is asked the same requests: Octavia's own API, and libra's, whose load balancers are records alone or serve.

Octavia keeps its records in SQLite in memory and has no worker. libra keeps them in SQLite on a disk, and one device
with a worker and HAProxy is there. Each request of either has a connection of its own, for Octavia's server keeps none.
"""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.ports import free_port
from tools.bench_parts.controlling import running_controller
from tools.bench_parts.failover import Fleet
from tools.bench_parts.render import ENVIRONMENT, ROOT, ensure_octavia
from tools.bench_parts.restclient import PORT, Json, RestClient

BASE = "/v2.0/lbaas"
SERVER = ROOT / "tests/support/octavia_server.py"
SUBNET = "7e9f6a5e-7f4f-4f6e-8a4d-3f2c1a2b3c4d"
CHECKS = {"type": "HTTP", "delay": 30, "timeout": 5, "max_retries": 2}
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Side:
    """`fields` are what its load balancers are made with."""

    name: str
    client: RestClient
    fields: Json = field(default_factory=dict)
    is_octavia: bool = False

    def create(self, name: str, members: list[int], *, checked: bool = True) -> Json:
        """A load balancer with a listener, a pool, members on those ports, and a health monitor."""
        pool: Json = {"name": name, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
        pool["members"] = [target(port) for port in members]
        if checked:
            pool["healthmonitor"] = CHECKS
        listener = {"protocol": "HTTP", "protocol_port": PORT, "default_pool": pool}
        body = {"name": name, "listeners": [listener], **self.fields}
        made = self.client.post(f"{BASE}/loadbalancers", {"loadbalancer": body})
        created: Json = made["loadbalancer"]
        return created

    def settle(self, key: str) -> None:
        """Nothing of the load balancer is on its way any more."""
        if self.is_octavia:
            self.client.post("/settle", {}, 204)
        else:
            self.client.wait_active(key)

    def delete(self, key: str) -> None:
        """It is gone when this returns."""
        self.client.delete(f"{BASE}/loadbalancers/{key}?cascade=true")
        if self.is_octavia:
            self.settle(key)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.list(f"?id={key}"):
            if time.monotonic() > deadline:
                raise SystemExit(f"cannot measure: the load balancer {key} does not go")
            time.sleep(0.002)

    def list(self, query: str = "") -> list[Json]:
        """Load balancers."""
        found: list[Json] = self.client.get(f"{BASE}/loadbalancers{query}")["loadbalancers"]
        return found


def target(port: int, **fields: int) -> Json:
    """A member."""
    return {"address": "127.0.0.1", "protocol_port": port, **fields}


@dataclass(frozen=True, slots=True)
class Sides:
    """`octavia` is None, and `fault` says why, where it cannot be installed."""

    octavia: Side | None
    noop: Side
    serving: Side
    fault: str = ""

    def without_traffic(self) -> list[Side]:
        """Those that do the same."""
        return [side for side in (self.octavia, self.noop) if side is not None]


@contextmanager
def running_sides() -> Iterator[Sides]:
    """Until the block ends."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lb")))
        ports = stack.enter_context(running_controller(f"sqlite:///{directory}/db", directory, 0))
        client = stack.enter_context(RestClient(ports.api, ports.token, keep=False))
        fleet = Fleet(directory, ports, client)
        stack.callback(fleet.close)
        fleet.boot(1)
        subnet = {"vip_subnet_id": "default"}
        noop = Side("libra, noop", client, {**subnet, "provider": "noop"})
        serving = Side("libra, HAProxy", client, subnet)
        try:
            ensure_octavia()
        except (OSError, subprocess.SubprocessError) as error:
            yield Sides(None, noop, serving, f"Octavia does not run here: {error}")
            return
        port = stack.enter_context(_running_octavia(directory))
        asked = stack.enter_context(RestClient(port, "", keep=False))
        fields = {"vip_subnet_id": SUBNET, "provider": "noop_driver"}
        yield Sides(Side("Octavia, noop", asked, fields, is_octavia=True), noop, serving)


@contextmanager
def _running_octavia(directory: Path) -> Iterator[int]:
    """Its port on loopback."""
    port = free_port()
    command = [str(ENVIRONMENT / "bin" / "python"), str(SERVER), str(directory), str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            if process.stdout.readline() != "ready\n":
                raise SystemExit("cannot measure: Octavia's API does not start")
            yield port
        finally:
            process.kill()
