"""Two workers with real HAProxies before five members, and a client that rolls the members out."""

import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from libra.model.access import Role
from tests.support import forking
from tests.support.chaos import choose_networks
from tests.support.cli import SCRIPT
from tests.support.control import control_lab
from tests.support.haproxy import find_haproxy, stop_master
from tests.support.haproxyworker import build_haproxy_worker
from tests.support.members import Members
from tests.support.ports import free_ports, wait_until
from tests.support.rollouts import is_online
from tests.support.web import get
from tests.support.worker import WAIT

DEVICES = ("east", "west")


class RolloutLab:
    """A controller in this process, two workers, the members of two load balancers, one on each."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        _, network = choose_networks()
        port, self.front = free_ports(2)
        self.members = Members(directory, network, port)
        self.members.start()
        stack.callback(self.members.close)
        self.lab = stack.enter_context(control_lab(directory))
        for name in DEVICES:
            self._start_worker(name, stack)
        self.targets = [self._create(name) for name in DEVICES]
        for name, address in self.members.addresses.items():
            body = {"name": name, "group": "web", "address": address, "port": port}
            self.lab.post("/v1/nodes", body)
        client = self.lab.token(Role.DEPLOYER)
        self.environ = {
            "LIBRA_API_URL": str(client.base_url),
            "LIBRA_API_TOKEN": client.headers["X-Auth-Token"],
        }
        for target in self.targets:
            self.lab.wait(lambda t=target: self._serves(t), "the members")

    def _start_worker(self, name: str, stack: ExitStack) -> None:
        home = self.directory / name
        home.mkdir()
        sockets = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lb")))
        stack.callback(stop_master, sockets / "m")
        binary = find_haproxy("system")
        worker = build_haproxy_worker(home, sockets, binary, [self.lab.server.port])
        worker.serve(self.lab.server.port, worker={"name": name})
        stack.enter_context(worker)
        self.lab.post("/v1/devices", {"name": name, "address": "127.0.0.1"})
        ready = ("SPARE", "ASSIGNED")
        wait_until(
            lambda: self.lab.get(f"/v1/devices/{name}")["device"]["state"] in ready,
            timeout=WAIT,
            what="the device",
        )

    def _create(self, name: str) -> tuple[str, int]:
        pool: dict[str, Any] = {"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
        pool["members"] = [
            {"address": address, "protocol_port": self.members.port}
            for address in self.members.addresses.values()
        ]
        check = {"type": "HTTP", "delay": 1, "timeout": 1, "max_retries": 1, "max_retries_down": 2}
        pool["healthmonitor"] = {**check, "url_path": "/health"}
        listener = {"protocol": "HTTP", "protocol_port": self.front, "default_pool": pool}
        made = self.lab.create(name, listeners=[listener])
        return made["vip_address"], self.front

    def _serves(self, target: tuple[str, int]) -> bool:
        try:
            return get(target[1], host=target[0])[0] == 200
        except OSError:
            return False

    def words(self, version: str, *options: str) -> list[str]:
        health = "http://{address}:{port}/health"
        return [
            *("run", "--group", "web", "--health", health, "--health-timeout", "5", *options),
            *("--", *self.members.restart(version)),
        ]

    def begin(self, *words: str) -> "subprocess.Popen[str]":
        """A process of its own, of a deployer."""
        return forking.Popen(
            [SCRIPT, "rollout", *words],
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def rollout(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """To its end."""
        process = self.begin(*words)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    @property
    def _environ(self) -> dict[str, str]:
        return {**self.environ, "PATH": "/usr/bin:/bin", "COLUMNS": "100"}

    def states(self) -> list[bool]:
        """Which nodes are online."""
        return [is_online(self.lab, name) for name in self.members.names]
