"""A whole controller in this process: database, API, manager, an embedded job server, and workers without a proxy."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from libra.cmd.controlling import Controller
from libra.cmd.renewing import Renewer
from libra.cmd.steering import Steering
from libra.config.controller import (
    AddressPoolSettings,
    AdminSettings,
    ControllerSettings,
    DatabaseSettings,
    ManagerSettings,
    ProviderSettings,
    QuotaSettings,
)
from libra.config.identity import IdentitySettings
from libra.config.settings import JobServerSettings, ObjectStoreSettings, Settings
from libra.drivers.noop import NoopDriver
from libra.jobs.embedded import EmbeddedJobServer
from libra.jobs.gearman import GearmanJobSource
from libra.manager.settle import MANAGER
from libra.messages.codec import decode, encode
from libra.messages.replies import build_fail
from libra.model.access import Role
from libra.providers import local
from libra.usecases.devicepools import change_pool
from libra.usecases.tokens import create_token
from libra.worker.controller import LBaaSController
from tests.support import forking
from tests.support.ports import wait_until
from tests.support.storages import lay_out
from tests.support.web import NOBODY

# Devices that a controller in this process boots are forks, too.
local.subprocess = forking.STANDARD  # type: ignore[assignment]
Json = dict[str, Any]
LBAAS = "/load-balancer/v2.0/lbaas"
WAIT = 60.0
READY = ("SPARE", "ASSIGNED")


class ThreadWorker:
    """A worker in a thread. `refuse` may name a text in a message that it answers with FAIL, `refuse_for_real` one that
    it finds out about when it is no dry run any more; `mute` answers nothing.

    `older` makes it one that has never heard of messages of 2.0.
    """

    def __init__(self, name: str, port: int, *, refuse: str | None = None) -> None:
        self.name = name
        self.driver = NoopDriver()
        self.controller = LBaaSController(self.driver)
        self.refuse = refuse  # given here where the first job may be waiting for it
        self.refuse_for_real: str | None = None
        self.mute = False
        self.older = False
        self.messages: list[Json] = []
        self._source = GearmanJobSource([JobServerSettings(port=port)], name)
        self._thread = threading.Thread(target=self._run, name=f"worker-{name}")
        self._stop = threading.Event()
        self.driver.running = True
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._source.drain()
        self._source.close()
        self._thread.join(WAIT)

    def updates(self) -> list[Json]:
        """The UPDATEs that came, oldest first."""
        return [item for item in self.messages if item["hpcs_action"] == "UPDATE"]

    def _run(self) -> None:
        while not self._stop.is_set():
            job = self._source.take(0.2)
            if job is None or self.mute:
                continue
            message = decode(job.payload)
            self.messages.append(message)
            words = self.refuse
            if "hpcs_dry_run" not in message:
                words = self.refuse_for_real or words
            if words is not None and words in json.dumps(message):
                job.complete(encode(build_fail(message, f"cannot do that: {words}")))
            else:
                job.complete(encode(self._answer(message)))

    def _answer(self, message: Json) -> Json:
        if not self.older:
            return self.controller.handle(message)
        unknown = {"hpcs_version", "hpcs_generation", "hpcs_dry_run"}
        reply = self.controller.handle({k: v for k, v in message.items() if k not in unknown})
        if message["hpcs_action"] == "DISCOVER":
            reply["version"] = "1.0"
        return {k: v for k, v in reply.items() if k not in ("versions", "digest", "generation")}


class ControlLab:
    """Everything, stopped in the right order; `client` is an administrator's."""

    def __init__(
        self,
        directory: Path,
        url: str,
        object_stores: ObjectStoreSettings | None = None,
        admin: AdminSettings | None = None,
        identity: IdentitySettings | None = None,
        **manager: object,
    ) -> None:
        self._stack = ExitStack()
        self.directory = directory
        self.server = EmbeddedJobServer("127.0.0.1", 0)
        self.server.start()
        self._stack.callback(self.server.stop)
        pace = {"probe_seconds": 0.5, "repair_seconds": 0.3, "job_deadline_seconds": 10}
        self.settings = Settings(
            job_servers=(JobServerSettings(port=self.server.port),),
            controller=ControllerSettings(
                key_file=directory / "secrets.key", admin_token_file=directory / "admin-token"
            ),
            identity=identity or IdentitySettings(),
            database=DatabaseSettings(url=url),
            address_pools=(AddressPoolSettings(),),
            manager=ManagerSettings.model_validate({**pace, **manager}),
            quotas=QuotaSettings(),
            object_stores=object_stores or ObjectStoreSettings(),
            admin=admin or AdminSettings(),
            providers=ProviderSettings(local_dir=directory / "d", local_driver="noop"),
        )
        self.to_read: Callable[[], Settings] = lambda: self.settings
        self.start_controller()
        change_pool(self.controller.services, MANAGER, "default", {"shared": True})
        _, secret = create_token(self.controller.services, MANAGER, "admin", Role.ADMIN)
        self.secret = secret
        self.client = self.client_with(secret)

    def start_controller(self) -> None:
        """Again, after `stop_controller`. Settings are read again from `to_read`, which a test may make raise."""
        self.ended = threading.Event()  # by an order
        self.controller = Controller(self.settings, api_port=0, steering=Steering(self.ended.set))
        renewer = Renewer(
            lambda: self.to_read(), self.settings, self.controller, lambda settings: None
        )
        self.controller.steering.renew = renewer.renew
        self.controller.start()

    def stop_controller(self) -> None:
        self.controller.stop()

    def client_with(self, secret: str | None) -> httpx.Client:
        headers = {"X-Auth-Token": secret} if secret is not None else {}
        url = f"http://127.0.0.1:{self.controller.api.port}"
        client = httpx.Client(base_url=url, headers=headers, verify=NOBODY, timeout=WAIT)
        self._stack.callback(client.close)
        return client

    def token(self, role: Role, project: str | None = None) -> httpx.Client:
        """A client of another role."""
        _, secret = create_token(self.controller.services, MANAGER, role.value, role, project)
        return self.client_with(secret)

    def worker(
        self, name: str = "web1", address: str = "127.0.0.1", *, older: bool = False
    ) -> ThreadWorker:
        """One that is registered as a device, and ready."""
        worker = ThreadWorker(name, self.server.port)
        worker.older = older
        self._stack.callback(worker.close)
        self.post("/v1/devices", {"name": name, "address": address})
        self.wait(lambda: self.get(f"/v1/devices/{name}")["device"]["state"] in READY, "the device")
        return worker

    def get(self, path: str, status: int = 200, **params: Any) -> Any:
        response = self.client.get(path, params=params or None)
        assert response.status_code == status, (path, response.status_code, response.text)
        return response.json()

    def post(self, path: str, body: Json, status: int = 201) -> Any:
        response = self.client.post(path, json=body)
        assert response.status_code == status, (path, response.status_code, response.text)
        return response.json()

    def put(self, path: str, body: Json, status: int = 200) -> Any:
        response = self.client.put(path, json=body)
        assert response.status_code == status, (path, response.status_code, response.text)
        return response.json() if response.content else None

    def delete(self, path: str, status: int = 204) -> None:
        response = self.client.delete(path)
        assert response.status_code == status, (path, response.status_code, response.text)

    def create(self, name: str = "shop", **fields: Any) -> Json:
        """A load balancer with a listener, a pool and a member, and it is ACTIVE."""
        given: Json = {"name": name, "vip_subnet_id": "default", **whole(), **fields}
        created: Json = self.post(f"{LBAAS}/loadbalancers", {"loadbalancer": given})["loadbalancer"]
        self.wait_active(created["id"])
        return created

    def show(self, key: str) -> Json:
        shown: Json = self.get(f"{LBAAS}/loadbalancers/{key}")["loadbalancer"]
        return shown

    def wait_active(self, key: str) -> None:
        self.wait_status(key, "ACTIVE")

    def wait_status(self, key: str, status: str) -> None:
        self.wait(lambda: self.show(key)["provisioning_status"] == status, f"{key} {status}")

    def wait(self, condition: Callable[[], object], what: str) -> None:
        wait_until(condition, timeout=WAIT, what=what)

    def close(self) -> None:
        self.controller.stop()
        self._stack.close()


def whole(port: int = 8080) -> Json:
    """A listener with a pool and a member."""
    pool = {"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
    pool["members"] = [{"address": "10.0.0.1", "protocol_port": 80}]  # type: ignore[assignment]
    return {"listeners": [{"protocol": "HTTP", "protocol_port": port, "default_pool": pool}]}


@contextmanager
def control_lab(
    directory: Path,
    object_stores: ObjectStoreSettings | None = None,
    admin: AdminSettings | None = None,
    identity: IdentitySettings | None = None,
    **manager: object,
) -> Iterator[ControlLab]:
    """On SQLite."""
    lab = ControlLab(directory, lay_out(directory), object_stores, admin, identity, **manager)
    try:
        yield lab
    finally:
        lab.close()
