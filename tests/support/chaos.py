"""Job server, controller, worker and HAProxy as processes that are killed at any moment and started again."""

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import yaml

from libra.config.settings import JobServerSettings
from libra.errors import JobError
from libra.jobs.gearman import GearmanJobClient
from libra.manager.sender import expected_digest, plan_now
from libra.messages.codec import decode, encode
from libra.storage.sql import open_storage
from libra.vault import open_vault
from tests.support import forking
from tests.support.control import READY
from tests.support.haproxy import find_haproxy, stop_master
from tests.support.ports import accepts, free_port, wait_until
from tests.support.programs import find_program
from tests.support.web import NOBODY

BIN = Path(sys.executable).parent
WAIT = 60.0
MOST_LINES = 60
DEVICE = "web1"
Json = dict[str, Any]


class ChaosLab:
    """`kill(name)` ends one with SIGKILL and starts it again at once; HAProxy's worker brings HAProxy back."""

    NAMES = ("jobs", "controller", "worker", "haproxy")

    def __init__(self, directory: Path, url: str, *, gearmand: bool) -> None:
        self.directory = directory
        self.admin_socket = directory / "a"
        self.network, self.member_network = choose_networks()
        self.url = url
        self._gearmand = gearmand
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._logs = {name: (directory / f"{name}.out").open("ab") for name in self.NAMES}
        self.job_port, self.api_port = free_port(), free_port()
        self.config = directory / "libra.yaml"
        self._write_config()

    def start(self) -> None:
        for name in ("jobs", "controller", "worker"):
            self._start(name)
        self.client = self._open_client()
        body = {"name": DEVICE, "address": "127.0.0.1"}
        assert self.client.post("/v1/devices", json=body).status_code in (201, 409)
        self.wait(self.is_ready, "the device")

    def kill(self, name: str) -> None:
        if name == "haproxy":
            for pid in self._haproxy_pids():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return
        self._processes[name].kill()
        self._processes[name].wait()
        self._start(name)

    def stop(self) -> None:
        """All of it, HAProxy too, which a worker leaves running."""
        self.client.close()
        for name in ("worker", "controller", "jobs"):
            process = self._processes.pop(name, None)
            if process is not None:
                process.terminate()
                process.wait(WAIT)
        stop_master(self.directory / "m")

    def tell(self) -> None:
        """What its processes said last, for whoever reads why a test failed."""
        for name in self.NAMES[:3]:
            lines = (self.directory / f"{name}.out").read_text(errors="replace").splitlines()
            print(f"== {name}", *lines[-MOST_LINES:], sep="\n")  # noqa: T201 - pytest shows it then

    def close(self) -> None:
        with suppress(AttributeError):  # where it never came to one
            self.client.close()
        for process in self._processes.values():
            process.kill()
            process.wait()
        stop_master(self.directory / "m")
        for log in self._logs.values():
            log.close()

    def runs_as_stored(self) -> bool:
        """Whether the device runs exactly what the database says, and nothing is under way."""
        storage = open_storage(self.url, connections=2)
        try:
            with storage.reading() as unit:
                device = unit.devices.by_name(DEVICE)
                assert device is not None
                plan = plan_now(unit, open_vault(self.directory / "secrets.key"), device.id)
                settled = all(
                    not owner.provisioning_status.is_pending for owner in unit.loadbalancers.find()
                )
        finally:
            storage.close()
        return settled and self.digest() == expected_digest(plan)

    def digest(self) -> object:
        client = GearmanJobClient([JobServerSettings(port=self.job_port)])
        try:
            payload = encode({"hpcs_action": "STATS"})
            return decode(client.submit(DEVICE, payload, timeout=5)).get("digest")
        except JobError:
            return None
        finally:
            client.close()

    def wait(self, condition: Callable[[], object], what: str) -> None:
        wait_until(condition, timeout=WAIT, what=what)

    def call(self, method: str, path: str, body: Json | None = None) -> httpx.Response | None:
        """None where the controller was killed amid it: whether it was done is not known."""
        try:
            return self.client.request(method, path, json=body)
        except httpx.HTTPError:
            self.wait(lambda: accepts(self.api_port), "the API")
            return None

    def ask(self, path: str) -> Json:
        """The answer to a GET, however often it has to be asked."""
        while True:
            answer = self.call("GET", path)
            if answer is not None and answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                assert answer.is_success, (path, answer.status_code, answer.text)
                return dict(answer.json())

    def is_ready(self) -> bool:
        """Whether the device takes work."""
        answer = self.call("GET", f"/v1/devices/{DEVICE}")
        return answer is not None and answer.json()["device"]["state"] in READY

    def _open_client(self) -> httpx.Client:
        token = self.directory / "admin-token"
        self.wait(lambda: token.exists() and accepts(self.api_port), "the API")
        headers = {"X-Auth-Token": token.read_text().strip()}
        url = f"http://127.0.0.1:{self.api_port}"
        return httpx.Client(base_url=url, headers=headers, verify=NOBODY, timeout=WAIT)

    def _start(self, name: str) -> None:
        commands = {
            "jobs": self._job_server(),
            "controller": [str(BIN / "libra-controller"), "--config", str(self.config)],
            "worker": [str(BIN / "libra-worker"), "--config", str(self.config)],
        }
        log = self._logs[name]
        if name == "jobs":  # a port that was just left may not be free for a moment
            self.wait(lambda: _is_free(self.job_port), "the port")
        self._processes[name] = forking.Popen(commands[name], stdout=log, stderr=log)

    def _job_server(self) -> list[str]:
        if not self._gearmand:
            return [str(BIN / "libra"), "jobserver", "--port", str(self.job_port)]
        listen = ["--listen", "127.0.0.1", "--port", str(self.job_port)]
        user = ["--user", "root"] if os.getuid() == 0 else []
        program = find_program("gearmand", package="gearman-job-server")
        pid_file = ["--pid-file", str(self.directory / "gearmand.pid")]
        return [program, *listen, "--log-file", "none", *pid_file, *user]

    def _write_config(self) -> None:
        state = self.directory / "state"
        settings = {
            "job_servers": [{"host": "127.0.0.1", "port": self.job_port}],
            "worker": {"name": DEVICE, "state_dir": str(state)},
            "haproxy": {
                "supervisor": "own",
                "binary": str(find_haproxy("system")),
                "config_file": str(state / "haproxy.cfg"),
                "admin_socket": str(self.admin_socket),
                "master_socket": str(self.directory / "m"),
                "log_file": str(state / "access.log"),
            },
            "controller": {
                "key_file": str(self.directory / "secrets.key"),
                "admin_token_file": str(self.directory / "admin-token"),
            },
            "database": {"url": self.url},
            "api": {"port": self.api_port},
            "manager": {"probe_seconds": 1, "repair_seconds": 0.5, "job_deadline_seconds": 20},
            "address_pools": [{"name": "default", "ranges": [self.network]}],
        }
        self.config.write_text(yaml.safe_dump(settings))

    def _haproxy_pids(self) -> list[int]:
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                line = path.read_bytes()
                if str(self.directory).encode() in line and b"haproxy\0" in line:
                    found.append(int(path.parent.name))
        return found


def choose_networks() -> tuple[str, str]:
    """Loopback addresses that no other test at the same moment is likely to have: two HAProxys would share a port.

    The network of load balancers, and the first three numbers of members.
    """
    chance = random.SystemRandom()
    second, third = chance.randrange(16, 250), chance.randrange(0, 250, 2)
    return f"127.{second}.{third}.0/24", f"127.{second}.{third + 1}"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0
