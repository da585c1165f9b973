"""Two controllers on one PostgreSQL with two gearmand: whichever is killed or frozen, the other goes on."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from libra.config.settings import JobServerSettings
from libra.drivers.noop import NoopDriver
from libra.jobs.base import TakenJob
from libra.jobs.gearman import GearmanJobSource
from libra.messages.codec import decode, encode
from libra.worker.controller import LBaaSController
from tests.contract.test_storage import postgres
from tests.support import forking
from tests.support.control import LBAAS, READY
from tests.support.gearmand import Gearmand
from tests.support.jobservers import working
from tests.support.ports import accepts, free_port, wait_until
from tests.support.postgres import Postgres
from tests.support.web import NOBODY

__all__ = ["postgres"]

PROGRAM = Path(sys.executable).parent / "libra-controller"
Json = dict[str, Any]
TAKE_OVER = 15.0


class Controlling:
    """One controller as a process, with settings of its own and the secrets that all share."""

    def __init__(self, directory: Path, name: str, url: str, job_ports: list[int]) -> None:
        self.port = free_port()
        self.log = directory / f"{name}.log"
        self.token_file = directory / "admin-token"
        config = directory / f"{name}.yaml"
        settings = {
            "job_servers": [{"host": "127.0.0.1", "port": port} for port in job_ports],
            "controller": {
                "key_file": str(directory / "secrets.key"),
                "admin_token_file": str(self.token_file),
            },
            "database": {"url": url},
            "api": {"port": self.port},
            "manager": {"probe_seconds": 1, "repair_seconds": 0.5},
            "address_pools": [{"name": "default", "ranges": ["127.0.2.0/24"]}],
        }
        config.write_text(yaml.safe_dump(settings))
        with self.log.open("wb") as log:
            self.process = forking.Popen(
                [PROGRAM, "--config", config], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        wait_until(lambda: accepts(self.port), what="the API")

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        headers = {"X-Auth-Token": self.token_file.read_text().strip()}
        url = f"http://127.0.0.1:{self.port}{path}"
        answer = httpx.request(method, url, json=body, headers=headers, verify=NOBODY, timeout=30.0)
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        return dict(answer.json()) if answer.content else {}

    def says(self, text: str) -> int:
        return self.log.read_text(errors="replace").count(text)

    def create(self, name: str) -> str:
        body = {"loadbalancer": {"name": name, "vip_subnet_id": "default"}}
        made = self.call("POST", f"{LBAAS}/loadbalancers", body)["loadbalancer"]
        return str(made["id"])

    def is_active(self, key: str) -> bool:
        shown = self.call("GET", f"{LBAAS}/loadbalancers/{key}")["loadbalancer"]
        return bool(shown["provisioning_status"] == "ACTIVE")


class Fleet:
    """`first` manages, `second` stands by."""

    def __init__(self, directory: Path, url: str, stack: ExitStack) -> None:
        self.servers = [stack.enter_context(Gearmand()) for _ in range(2)]
        ports = [server.port for server in self.servers]
        self.controller = LBaaSController(NoopDriver())
        source = GearmanJobSource([JobServerSettings(port=port) for port in ports], "web1")
        stack.callback(source.close)
        stack.enter_context(working(source, self._answer))
        self.first = self._open(directory, "first", url, ports, stack)
        wait_until(lambda: self.first.says("this controller manages"), what="the manager")
        self.second = self._open(directory, "second", url, ports, stack)
        self.first.call("POST", "/v1/devices", {"name": "web1", "address": "127.0.0.1"})
        self.await_device(self.first)
        wait_until(lambda: self.second.says("another controller manages"), what="the stand-by")

    def _open(
        self, directory: Path, name: str, url: str, ports: list[int], stack: ExitStack
    ) -> Controlling:
        controller = Controlling(directory, name, url, ports)
        stack.callback(controller.process.wait)
        stack.callback(controller.process.kill)
        return controller

    def _answer(self, job: TakenJob) -> None:
        job.complete(encode(self.controller.handle(decode(job.payload))))

    def await_device(self, by: Controlling) -> None:
        def is_ready() -> bool:
            return by.call("GET", "/v1/devices/web1")["device"]["state"] in READY

        wait_until(is_ready, what="the device")

    def await_active(self, by: Controlling, key: str, timeout: float) -> float:
        started = time.monotonic()
        wait_until(lambda: by.is_active(key), timeout=timeout, what=f"{key} ACTIVE")
        return time.monotonic() - started


@pytest.fixture
def fleet(tmp_path: Path, postgres: Postgres) -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(tmp_path, postgres.new_url(), stack)


def test_each_serves_the_api_and_what_it_takes_is_carried_out(fleet: Fleet) -> None:
    one, other = fleet.first.create("one"), fleet.second.create("other")
    for controller in (fleet.first, fleet.second):
        fleet.await_active(controller, one, TAKE_OVER)
        fleet.await_active(controller, other, TAKE_OVER)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_another_takes_over(fleet: Fleet, number: signal.Signals) -> None:
    fleet.first.process.send_signal(number)
    made = fleet.second.create("while nobody manages")
    fleet.await_active(fleet.second, made, TAKE_OVER)
    if number is not signal.SIGSTOP:
        return
    fleet.first.process.send_signal(signal.SIGCONT)
    wait_until(
        lambda: fleet.first.says("another controller manages"), what="the old one to stand by"
    )
    later = fleet.first.create("by the one that was frozen")
    fleet.await_active(fleet.first, later, TAKE_OVER)
    assert fleet.second.says("this controller manages") == 1
    assert fleet.first.says("this controller manages") == 1
    assert fleet.first.says("internal error") == 0


@pytest.mark.parametrize("frozen", [True, False])
def test_a_job_server_that_is_gone_costs_little(fleet: Fleet, *, frozen: bool) -> None:
    server = fleet.servers[0]
    (server.freeze if frozen else server.kill)()
    try:
        for turn in range(4):
            made = fleet.first.create(f"lb{turn}")
            fleet.await_active(fleet.second, made, TAKE_OVER)
        assert fleet.first.call("GET", "/v1/devices/web1")["device"]["state"] in READY
    finally:
        server.stop()
