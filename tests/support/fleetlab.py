"""A whole fleet on hosts of its own (network namespaces): PostgreSQL, two gearmand, two controllers, five workers with
their HAProxies, and a client; each host can be killed, frozen and cut off.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import yaml

from libra.manager.sender import expected_digest, plan_now
from libra.storage.sql import open_storage
from libra.vault import open_vault
from tests.support.control import READY
from tests.support.haproxy import find_haproxy, stop_master
from tests.support.netlab import NetLab
from tests.support.ports import LISTENING, accepts, local_ends, wait_until
from tests.support.postgres import running_postgres
from tests.support.programs import find_program
from tests.support.web import NOBODY
from tests.support.witness import targets_here

BIN = Path(sys.executable).parent
JOB_SERVERS = ("jobs1", "jobs2")
CONTROLLERS = ("ctl1", "ctl2")
DEVICES = ("web1", "web2", "web3", "web4", "web5")
API, JOBS, DATABASE, TARGET = 8111, 4730, 5432, 9000
VIPS = "10.77.0.96/27"
PROBE_SECONDS = 1.0
WAIT = 90.0
LOOPBACK_OF_MEMBERS = "127.77.77"
Json = dict[str, Any]


class FleetLab:
    """`network` and `member_network` as in `ChaosLab`."""

    network, member_network = VIPS, LOOPBACK_OF_MEMBERS

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._stack = ExitStack()
        self._chance = random.Random(0)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.disturbed: str | None = None  # the host that is frozen or cut off

    def start(self) -> None:
        server = self._stack.enter_context(running_postgres())
        self.url = server.new_url()
        self.net = NetLab()
        self._stack.callback(self.net.close)
        for host in ("client", "db", *JOB_SERVERS, *CONTROLLERS, *DEVICES):
            self.net.add(host)
        path = f"{server.socket_directory}/.s.PGSQL.{server.port}"
        listen = f"TCP-LISTEN:{DATABASE},fork,reuseaddr,nodelay"
        self.net.start("db", find_program("socat", package="socat"), listen, f"UNIX:{path}")
        for host in (*JOB_SERVERS, *CONTROLLERS, *DEVICES):
            self._write_config(host)
        for host in (*JOB_SERVERS, *CONTROLLERS):
            self.revive(host)
        self._await_api()
        pool = {"auto_enroll": True, "shared": True}
        answer = self.call("PUT", "/v1/device-pools/default", pool)
        assert answer is not None
        assert answer.is_success, answer.text
        for host in DEVICES:
            self.revive(host)
            ending = self.net.inside(host, lambda: targets_here(TARGET))
            self._stack.callback(ending)
        self.wait(self.all_ready, "five devices")

    def close(self) -> None:
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        for host in DEVICES:
            for pid in self._haproxies(host):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with suppress(OSError):
                stop_master(self.directory / host / "m")
        self._stack.close()

    # Faults.

    def kill(self, host: str) -> None:
        """All of it dies; `revive` starts it again."""
        self._signal(host, signal.SIGKILL)
        self._processes[host].wait()

    def revive(self, host: str) -> None:
        """What runs there; a worker brings its HAProxy."""
        log = (self.directory / f"{host}.log").open("ab")
        self._stack.callback(log.close)
        self._processes[host] = self.net.start(host, *self._command(host), output=log)

    def freeze(self, host: str) -> None:
        self._signal(host, signal.SIGSTOP)

    def thaw(self, host: str) -> None:
        self._signal(host, signal.SIGCONT)

    def cut(self, host: str) -> None:
        self.net.cut(host)

    def heal(self, host: str) -> None:
        self.net.heal(host)

    def _signal(self, host: str, number: signal.Signals) -> None:
        for pid in (self._processes[host].pid, *self._haproxies(host)):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _haproxies(self, host: str) -> list[int]:
        wanted = str(self.directory / host / "haproxy.cfg").encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if wanted in path.read_bytes():
                    found.append(int(path.parent.name))
        return found

    # As `ChaosLab`.

    def wait(self, condition: Callable[[], object], what: str) -> None:
        wait_until(condition, timeout=WAIT, what=what)

    def call(self, method: str, path: str, body: Json | None = None) -> httpx.Response | None:
        """By one of the controllers. None where it died amid it, or was cut off: whether it was done is not known."""
        able = [host for host in CONTROLLERS if host != self.disturbed]
        host = self._chance.choice(able)
        headers = {"X-Auth-Token": (self.directory / "admin-token").read_text().strip()}
        url = f"http://127.0.0.1:{API}{path}"

        def request() -> httpx.Response:
            return httpx.request(
                method, url, json=body, headers=headers, verify=NOBODY, timeout=WAIT
            )

        try:
            answer = self.net.inside(host, request)
        except httpx.HTTPError:
            self._await_api()
            return None
        unsure = answer.status_code >= 500 and method != "GET" and self.disturbed == host
        if unsure:
            self.wait(lambda: self.disturbed is None, "the end of the fault")
            self._await_api()
        return None if unsure else answer

    def ask(self, path: str) -> Json:
        """The answer to a GET, however often it has to be asked."""
        while True:
            answer = self.call("GET", path)
            if answer is not None and answer.status_code < 500:
                assert answer.is_success, (path, answer.status_code, answer.text)
                return dict(answer.json())

    def _await_api(self) -> None:
        """Of both."""
        for host in CONTROLLERS:

            def is_open(host: str = host) -> bool:
                return self.net.inside(host, lambda: accepts(API))

            self.wait(is_open, f"the API of {host}")

    # What there is.

    def states(self) -> dict[str, str]:
        return {item["name"]: item["state"] for item in self.ask("/v1/devices")["devices"]}

    def all_ready(self) -> bool:
        states = self.states()
        return len(states) == len(DEVICES) and set(states.values()) <= set(READY)

    def addresses(self, host: str) -> set[str]:
        """Those of load balancers."""
        shown = self.net.run(host, "ip", "-o", "-4", "addr", "show", "dev", "eth0")
        found = {line.split()[3].partition("/")[0] for line in shown.splitlines()}
        return found - {self.net.address(host)}

    def served(self, host: str) -> set[str]:
        """Those at which somebody listens, too."""
        return self.addresses(host) & self.net.inside(host, listened_to)

    def disagreements(self) -> list[str]:
        """Where the database and a device differ; empty where the fleet is as it is stored."""
        storage = open_storage(self.url, connections=2)
        try:
            return list(self._disagreements(storage))
        finally:
            storage.close()

    def _disagreements(self, storage: Any) -> Iterator[str]:
        vault = open_vault(self.directory / "secrets.key")
        with storage.reading() as unit:
            if any(item.provisioning_status.is_pending for item in unit.loadbalancers.find()):
                yield "something is under way"
            for device in unit.devices.find():
                mine = unit.loadbalancers.trees_of(device.id)
                wanted = {tree.loadbalancer.vip_address for tree in mine}
                if (has := self.addresses(device.name)) != wanted:
                    yield f"{device.name} has {has}, not {wanted}"
                plan = plan_now(unit, vault, device.id)
                if device.digest != expected_digest(plan) and mine:
                    yield f"{device.name} runs something else"

    def _command(self, host: str) -> tuple[str, ...]:
        config = str(self.directory / host / "libra.yaml")
        if host in JOB_SERVERS:
            pid_file = str(self.directory / host / "pid")
            program = find_program("gearmand", package="gearman-job-server")
            where = ("--listen", "0.0.0.0", "--port", str(JOBS))
            return (program, *where, "--log-file", "none", "--pid-file", pid_file, "--user", "root")
        kind = "libra-controller" if host in CONTROLLERS else "libra-worker"
        return (str(BIN / kind), "--config", config)

    def _write_config(self, host: str) -> None:
        directory = self.directory / host
        directory.mkdir()
        settings: Json = {
            "job_servers": [{"host": self.net.address(name), "port": JOBS} for name in JOB_SERVERS]
        }
        if host in CONTROLLERS:
            name = self.url.rpartition("/")[2]
            settings |= {
                "controller": {
                    "key_file": str(self.directory / "secrets.key"),
                    "admin_token_file": str(self.directory / "admin-token"),
                },
                "database": {
                    "url": f"postgresql://libra@{self.net.address('db')}:{DATABASE}/{name}"
                },
                "api": {"port": API},
                "manager": {
                    "probe_seconds": PROBE_SECONDS,
                    "repair_seconds": 0.5,
                    "job_deadline_seconds": 20,
                },
                "address_pools": [{"name": "default", "ranges": [VIPS]}],
            }
        if host in DEVICES:
            settings |= {
                "worker": {
                    "name": host,
                    "state_dir": str(directory / "state"),
                    "address": self.net.address(host),
                },
                "haproxy": {
                    "supervisor": "own",
                    "binary": str(find_haproxy("system")),
                    "config_file": str(directory / "haproxy.cfg"),
                    "admin_socket": str(directory / "a"),
                    "master_socket": str(directory / "m"),
                    "log_file": str(directory / "access.log"),
                },
                "vip": {"adapter": "interface", "networks": [VIPS]},
            }
        (directory / "libra.yaml").write_text(yaml.safe_dump(settings))

    def tell(self) -> None:
        """What was said last, for whoever reads why a test failed."""
        for host in (*CONTROLLERS, *DEVICES):
            path = self.directory / f"{host}.log"
            lines = path.read_text(errors="replace").splitlines() if path.exists() else []
            print(f"== {host}", *lines[-40:], sep="\n")  # noqa: T201 - pytest shows it then


def listened_to() -> set[str]:
    """Where something listens on the host that this thread is on."""
    return {str(address) for address, _, state in local_ends() if state == LISTENING}


class Overlaps:
    """Watches which hosts that can be reached serve an address; `seen` tells when two did the same, and how long."""

    def __init__(self, lab: FleetLab) -> None:
        self._lab = lab
        self._now: dict[str, Overlap] = {}
        self.seen: list[Overlap] = []

    @property
    def longest(self) -> float:
        """Of all, in seconds."""
        return max((overlap.seconds for overlap in self.seen), default=0.0)

    def look(self, unreachable: str | None) -> None:
        """Call a few times a second."""
        now = time.monotonic()
        holders: dict[str, list[str]] = {}
        for host in DEVICES:
            if host != unreachable:
                for address in self._lab.served(host):
                    holders.setdefault(address, []).append(host)
        shared = {address: hosts for address, hosts in holders.items() if len(hosts) > 1}
        self._now = {address: item for address, item in self._now.items() if address in shared}
        for address, hosts in shared.items():
            if address not in self._now:
                self._now[address] = Overlap(address, hosts, now)
                self.seen.append(self._now[address])
            self._now[address].seconds = now - self._now[address].since


@dataclass(slots=True)
class Overlap:
    """These hosts had one address."""

    address: str
    hosts: list[str]
    since: float
    seconds: float = 0.0
    at: str = field(default_factory=lambda: f"{datetime.now(UTC):%H:%M:%S}")
