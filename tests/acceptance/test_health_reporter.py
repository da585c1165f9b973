"""The health reporter with installed programs: a controller that is killed, a worker's HAProxy, a real Varnish."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from libra.jobs.embedded import EmbeddedJobServer
from tests.acceptance.test_controller_process import Process
from tests.support import forking
from tests.support.control import LBAAS, READY
from tests.support.haproxy import find_haproxy, stop_master
from tests.support.haproxyworker import build_haproxy_worker
from tests.support.ports import LOOPBACK, accepts, free_ports, wait_until
from tests.support.varnish import PassingNode, Varnish
from tests.support.web import NOBODY, WebServer, get
from tests.support.worker import WAIT

NODES = ("node1", "node2")
Json = dict[str, Any]


class HealthLab:
    """Two servers behind a load balancer, registered as nodes; the controller can be killed."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        jobs = EmbeddedJobServer(LOOPBACK, 0)
        jobs.start()
        stack.callback(jobs.stop)
        self.controller = Process(directory)
        self.controller.configure(
            job_servers=[{"host": LOOPBACK, "port": jobs.port}],
            manager={"probe_seconds": 0.5},
            address_pools=[{"name": "default", "ranges": ["127.0.3.0/24"]}],
        )
        self._running: subprocess.Popen[bytes] | None = None
        stack.callback(self.kill)
        self.front, self.reporter = free_ports(2)
        self._worker(directory, stack, jobs.port)
        self.start()
        self.call("POST", "/v1/devices", {"name": "web1", "address": LOOPBACK})
        wait_until(
            lambda: self.call("GET", "/v1/devices/web1")["device"]["state"] in READY, timeout=WAIT
        )
        servers = [stack.enter_context(WebServer(name)) for name in NODES]
        self._create(servers)
        for name, server in zip(NODES, servers, strict=True):
            body = {"name": name, "group": "web", "address": LOOPBACK, "port": server.port}
            self.call("POST", "/v1/nodes", body)
        wait_until(lambda: self.served() == set(NODES), timeout=WAIT, what="both servers")
        for name in NODES:
            wait_until(lambda n=name: self.probe(self.reporter, n) == 200, timeout=WAIT, what=name)

    def _worker(self, directory: Path, stack: ExitStack, port: int) -> None:
        sockets = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lb")))
        stack.callback(stop_master, sockets / "m")
        home = directory / "worker"
        home.mkdir()
        worker = build_haproxy_worker(home, sockets, find_haproxy("system"), [port])
        place = {**worker.settings["haproxy"], "health_reporter": f"{LOOPBACK}:{self.reporter}"}
        worker.serve(port, worker={"name": "web1"}, haproxy=place)
        stack.enter_context(worker)

    def _create(self, servers: list[WebServer]) -> None:
        members = [{"address": LOOPBACK, "protocol_port": server.port} for server in servers]
        check = {"type": "HTTP", "delay": 1, "timeout": 1, "max_retries": 1, "url_path": "/"}
        pool = {"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
        listener = {
            "protocol": "HTTP",
            "protocol_port": self.front,
            "default_pool": {**pool, "members": members, "healthmonitor": check},
        }
        body = {"name": "shop", "vip_subnet_id": "default", "listeners": [listener]}
        made = self.call("POST", f"{LBAAS}/loadbalancers", {"loadbalancer": body})["loadbalancer"]
        self.address: str = made["vip_address"]

    def start(self) -> None:
        log = (self.controller.directory / "controller.log").open("ab")
        with log:
            self._running = forking.Popen(self.controller.command(), stdout=log, stderr=log)
        wait_until(lambda: accepts(self.controller.port), timeout=WAIT, what="the API")

    def kill(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            with suppress(ProcessLookupError):
                os.kill(running.pid, signal.SIGKILL)
            running.wait()

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        headers = {"X-Auth-Token": self.controller.token_file.read_text().strip()}
        url = f"http://{LOOPBACK}:{self.controller.port}{path}"
        answer = httpx.request(method, url, json=body, headers=headers, verify=NOBODY, timeout=WAIT)
        assert answer.is_success, (path, answer.status_code, answer.text)
        return dict(answer.json()) if answer.content else {}

    def mark(self, name: str, status: str) -> None:
        """As the seed's task does it."""
        self.call("POST", "/health/++rest++setstatus", {name: {"status": status}})

    def probe(self, port: int, name: str) -> int:
        with suppress(OSError):
            return get(port, f"/health/web?node={name}")[0]
        return 0

    def served(self) -> set[str]:
        """By whom, through the load balancer."""
        with suppress(OSError):
            return {get(self.front, host=self.address)[1] for _ in range(6)}
        return set()

    def pids(self) -> set[str]:
        """Of HAProxy: none of this reloads it."""
        text = (self.controller.directory / "worker" / "state" / "haproxy.cfg").as_posix()
        found = subprocess.run(["pgrep", "-f", text], capture_output=True, text=True, check=False)
        return set(found.stdout.split())


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HealthLab]:
    with ExitStack() as stack:
        yield HealthLab(tmp_path_factory.mktemp("health"), stack)


@pytest.fixture(autouse=True)
def both_online(lab: HealthLab) -> Iterator[None]:
    yield
    for name in NODES:
        lab.mark(name, "online")
    wait_until(lambda: lab.served() == set(NODES), timeout=WAIT, what="both servers")


def test_offline_is_drained_and_reported_everywhere(lab: HealthLab) -> None:
    before = lab.pids()
    lab.mark("node1", "offline")
    assert lab.probe(lab.controller.port, "node1") == 503
    wait_until(lambda: lab.served() == {"node2"}, timeout=WAIT, what="draining")
    wait_until(lambda: lab.probe(lab.reporter, "node1") == 503, timeout=WAIT, what="the map")
    shown = lab.call("GET", "/v1/nodes/node1")["node"]["sessions"]
    assert shown["drained"] is True
    lab.mark("node1", "online")
    wait_until(lambda: lab.served() == set(NODES), timeout=WAIT, what="both")
    wait_until(lambda: lab.probe(lab.reporter, "node1") == 200, timeout=WAIT, what="the map")
    assert lab.pids() == before


def test_a_controller_that_is_killed_right_after_its_answer_has_marked(lab: HealthLab) -> None:
    lab.mark("node1", "offline")
    lab.kill()
    assert lab.probe(lab.reporter, "node2") == 200  # HAProxy needs no controller
    lab.start()
    assert lab.probe(lab.controller.port, "node1") == 503  # from its first answer on
    wait_until(lambda: lab.served() == {"node2"}, timeout=WAIT, what="draining")
    wait_until(lambda: lab.probe(lab.reporter, "node1") == 503, timeout=WAIT, what="the map")
    lab.mark("node1", "online")
    lab.kill()
    lab.start()
    assert lab.probe(lab.controller.port, "node1") == 200
    wait_until(lambda: lab.served() == set(NODES), timeout=WAIT, what="both servers")


def test_haproxy_answers_while_no_controller_is_there(lab: HealthLab) -> None:
    lab.mark("node1", "offline")
    wait_until(lambda: lab.probe(lab.reporter, "node1") == 503, timeout=WAIT, what="the map")
    lab.kill()
    try:
        assert lab.probe(lab.controller.port, "node1") == 0
        assert [lab.probe(lab.reporter, name) for name in NODES] == [503, 200]
    finally:
        lab.start()


def test_varnish_takes_a_node_out_and_back(lab: HealthLab, tmp_path: Path) -> None:
    with ExitStack() as stack:
        nodes = [stack.enter_context(PassingNode(name, lab.reporter)) for name in NODES]
        varnish = stack.enter_context(Varnish(tmp_path, *nodes))
        wait_until(lambda: varnish.served_by() == set(NODES), timeout=WAIT, what="both nodes")
        lab.mark("node1", "offline")
        wait_until(lambda: varnish.served_by() == {"node2"}, timeout=WAIT, what="one node")
        lab.kill()  # its probes go on without a controller
        try:
            assert varnish.served_by() == {"node2"}
        finally:
            lab.start()
        lab.mark("node1", "online")
        wait_until(lambda: varnish.served_by() == set(NODES), timeout=WAIT, what="both nodes")
