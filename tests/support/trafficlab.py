"""A whole controller in this process, and one device whose HAProxy serves: what the API says is what clients see."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from libra.serving.book import Node
from libra.worker.controller import LBaaSController
from libra.worker.serving import Places, ServingProcess
from libra.worker.state import FileState
from tests.support.certificates import Certificate
from tests.support.control import LBAAS, READY, ControlLab, Json, ThreadWorker
from tests.support.haproxy import DrivenHAProxy, find_haproxy, stop_master
from tests.support.headers import Answer, HeadServer, ask
from tests.support.ports import free_port
from tests.support.storages import lay_out
from tests.support.web import WebServer, get

POOL = {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}


class TrafficLab(ControlLab):
    """`sockets` needs a short path."""

    def __init__(self, binary: Path, directory: Path, sockets: Path) -> None:
        super().__init__(directory, lay_out(directory), repair_seconds=0.2, probe_seconds=0.3)
        self.haproxy = DrivenHAProxy(binary, directory, sockets, serving_socket=sockets / "s")
        places = Places(
            socket=sockets / "s",
            services=directory / "services.json",
            log=directory / "serving.log",
            pid_file=directory / "serving.pid",
            statistics=self.haproxy.settings.haproxy.admin_socket,
        )
        self.web = ServingProcess(places, Node, ())
        self._closing = ExitStack()
        worker = ThreadWorker("web1", self.server.port)
        self._closing.callback(worker.close)
        state = FileState(directory / "desired.json")
        worker.controller = LBaaSController(self.haproxy.driver, state, web=self.web)
        self.post("/v1/devices", {"name": "web1", "address": "127.0.0.1"})
        self.wait(lambda: self.get("/v1/devices/web1")["device"]["state"] in READY, "the device")

    def close(self) -> None:
        self._closing.close()
        self.web.stop()
        self.haproxy.driver.close()
        super().close()

    def serve(
        self, *members: Json, pool: Json | None = None, pools: tuple[Json, ...] = (), **fields: Any
    ) -> "Site":
        """A load balancer with a listener; `pool` are fields of its default pool, the others the listener's."""
        listener: Json = {"protocol": "HTTP", "protocol_port": free_port(), **fields}
        if members or pool:
            own = {**POOL, "name": "p", "members": list(members), **(pool or {})}
            listener["default_pool"] = own
        return Site(self, self.create("site", listeners=[listener], pools=list(pools)))


class Site:
    """A load balancer that serves; changes have come live when a method returns."""

    def __init__(self, lab: TrafficLab, made: Json) -> None:
        self.lab = lab
        self.key: str = made["id"]
        self.address: str = made["vip_address"]
        self.port: int = made["listeners"][0]["protocol_port"]
        self.listener: str = made["listeners"][0]["id"]
        self.pools = {item["name"]: item for item in made["pools"]}

    @property
    def members(self) -> str:
        return f"pools/{self.pools['p']['id']}/members"

    def member(self, number: int = 0) -> str:
        """The path of one."""
        return f"{self.members}/{self.pools['p']['members'][number]['id']}"

    def put(self, path: str, **body: Any) -> None:
        self.lab.client.put(f"{LBAAS}/{path}", json=body).raise_for_status()
        self.lab.wait_active(self.key)

    def post(self, path: str, **body: Any) -> Json:
        made: Json = self.lab.post(f"{LBAAS}/{path}", body)
        self.lab.wait_active(self.key)
        return made

    def delete(self, path: str) -> None:
        self.lab.delete(f"{LBAAS}/{path}")
        self.lab.wait_active(self.key)

    def statuses(self) -> list[str]:
        """The operating statuses of the members."""
        found = self.lab.get(f"{LBAAS}/{self.members}")["members"]
        return [item["operating_status"] for item in found]

    def wait_statuses(self, *wanted: str) -> None:
        self.lab.wait(lambda: self.statuses() == list(wanted), f"{wanted}, not {self.statuses()}")


def target(port: int, **fields: Any) -> Json:
    """A member on the loopback address."""
    return {"address": "127.0.0.1", "protocol_port": port, **fields}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrafficLab]:
    sockets = Path(tempfile.mkdtemp(prefix="lb"))
    lab = TrafficLab(find_haproxy("system"), tmp_path_factory.mktemp("traffic"), sockets)
    yield lab
    lab.close()
    stop_master(sockets / "m")
    shutil.rmtree(sockets, ignore_errors=True)


@pytest.fixture(scope="module")
def one() -> Iterator[WebServer]:
    with WebServer("one") as server:
        yield server


@pytest.fixture(scope="module")
def two() -> Iterator[WebServer]:
    with WebServer("two") as server:
        yield server


@pytest.fixture(scope="module")
def heads() -> Iterator[HeadServer]:
    with HeadServer() as server:
        yield server


def body(site: Site, path: str = "/") -> str:
    """Who answers."""
    return get(site.port, path, host=site.address)[1]


def see(site: Site, **fields: Any) -> Answer:
    return ask(site.port, host=site.address, **fields)


def connect(site: Site) -> socket.socket:
    return socket.create_connection((site.address, site.port), timeout=30)


def line_of(connection: socket.socket) -> str:
    with connection.makefile("rb", buffering=0) as file:
        return file.readline().decode().strip()


def certificate(lab: TrafficLab, issued: Certificate | str, kind: str = "certificate") -> str:
    given = {
        "type": kind,
        "certificate": issued if isinstance(issued, str) else issued.cert.read_text(),
    }
    if isinstance(issued, Certificate) and kind == "certificate":
        given["key"] = issued.key.read_text()
    return str(lab.post("/v1/certificates", given)["certificate"]["id"])
