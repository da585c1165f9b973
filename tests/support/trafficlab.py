"""A whole controller in this process, and one device whose HAProxy serves: what the API says is what clients see."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from libra.serving.book import Node
from libra.worker.controller import LBaaSController
from libra.worker.serving import Places, ServingProcess
from libra.worker.state import FileState
from tests.support.control import LBAAS, READY, ControlLab, Json, ThreadWorker
from tests.support.haproxy import DrivenHAProxy
from tests.support.ports import free_port
from tests.support.storages import lay_out

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
