"""Five real HTTP servers behind two workers with real HAProxies, changed one after the other under load."""

import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from libra.model.access import Role
from libra.model.rollout import LEASE_SECONDS
from tests.support.chaos import _choose_networks
from tests.support.cli import SCRIPT
from tests.support.control import ControlLab, control_lab
from tests.support.haproxy import find_haproxy, stop_master
from tests.support.haproxyworker import build_haproxy_worker
from tests.support.members import Members
from tests.support.ports import free_ports, wait_until
from tests.support.rollouts import is_online, later
from tests.support.steady import SteadyLoad
from tests.support.web import get
from tests.support.worker import WAIT

RATE = 300
LEAST_RATE = 200  # where the machine has much else to do
DEVICES = ("east", "west")


class RolloutLab:
    """A controller in this process, two workers, the members of two load balancers, one on each."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        _, network = _choose_networks()
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
        return subprocess.Popen(
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


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RolloutLab]:
    with ExitStack() as stack:
        yield RolloutLab(tmp_path_factory.mktemp("rollout"), stack)


def test_all_five_are_restarted_and_not_one_request_fails(world: RolloutLab) -> None:
    with SteadyLoad(RATE, world.targets) as load:
        done = world.rollout(*world.words("2"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert load.failures == []
    assert set(world.members.versions().values()) == {"2"}
    assert all(world.states())
    kinds = {key.partition(" ")[0] for key in load.counts}
    assert kinds == {"keep-alive", "short", "slow"}
    assert {f"short {name} {version}" for name in world.members.names for version in "12"} <= set(
        load.counts
    )
    assert load.total / load.seconds >= LEAST_RATE, (load.total, load.seconds)


def test_a_broken_version_stops_there_with_four_serving(world: RolloutLab) -> None:
    lab: ControlLab = world.lab
    before = world.members.versions()
    with SteadyLoad(RATE, world.targets) as load:
        done = world.rollout(*world.words("broken"))
    assert done.returncode == 1, done.stdout
    assert "web1: http://" in done.stderr
    assert load.failures == []
    assert world.members.versions() == {**before, "web1": "broken"}
    assert world.states() == [False, *[True] * 4]
    shown = lab.get("/v1/rollouts/web")["rollout"]
    assert (shown["state"], shown["phases"]) == ("stopped", {"failed": 1, "pending": 4})
    looked = lab.get("/v1/nodegroups/web/sessions")["nodes"]
    assert [node["open_members"] for node in looked] == [0, 2, 2, 2, 2]
    again = world.rollout("resume", "web", "--", *world.members.restart("3"))
    assert again.returncode == 0, again.stdout + again.stderr
    assert set(world.members.versions().values()) == {"3"}


def test_a_client_that_is_killed_is_followed_by_another(world: RolloutLab, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"echo $$ >{pid}.new; mv {pid}.new {pid}; exec sleep 600"
    process = world.begin("run", "--group", "web", "--node", "web1", "--", "sh", "-c", script)
    wait_until(pid.exists, timeout=WAIT, what="the command")
    process.kill()
    process.communicate()
    os.kill(int(pid.read_text()), signal.SIGKILL)
    refused = world.rollout("resume", "web", "--", "true")
    assert refused.returncode == 1
    assert "leads it; if it is dead, anybody may in" in refused.stderr
    with later(world.lab, LEASE_SECONDS + 1):
        shown = world.rollout("status", "web")
        assert "has not been heard of" in shown.stdout
        assert "1 command" in shown.stdout
        done = world.rollout("resume", "web", "--", "true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "web1: draining" not in done.stdout  # it goes on where it was
    assert all(world.states())


def test_ctrl_c_finishes_the_node_in_work(world: RolloutLab, tmp_path: Path) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"
    script = f"touch {begun}; while ! test -e {go}; do sleep 0.05; done"
    process = world.begin("run", "--group", "web", "--", "sh", "-c", script)
    wait_until(begun.exists, timeout=WAIT, what="the command")
    process.send_signal(signal.SIGINT)
    go.touch()
    out, err = process.communicate(timeout=WAIT)
    assert process.returncode == 1, out + err
    assert "stopped, 1 of 5 nodes done: interrupted" in err
    assert all(world.states())
    aborted = world.rollout("abort", "web", "-o", "json")
    assert json.loads(aborted.stdout)["phases"] == {"done": 1, "pending": 4}


def test_sessions_that_do_not_end_in_time_are_not_cut_off(world: RolloutLab) -> None:
    with SteadyLoad(20, world.targets) as load:
        wait_until(lambda: sessions_of(world) > 0, timeout=WAIT, what="slow requests")
        done = world.rollout("run", "-g", "web", "--drain-timeout", "0.2", "--", "false")
    assert done.returncode == 1
    assert re.search("it still has [0-9]+ sessions after 0.2 s|not every device says", done.stderr)
    assert load.failures == []
    assert world.states() == [False, *[True] * 4]
    assert world.rollout("abort", "web", "--restore").returncode == 0
    assert all(world.states())


def sessions_of(world: RolloutLab) -> int:
    shown = world.lab.get("/v1/nodegroups/web/sessions")["nodes"]
    return int(min(node["sessions"] for node in shown[:1]))
