"""One host of a `NetLab`: a job server, a worker with its HAProxy, and a web server that says the host's name."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from libra.config.settings import JobServerSettings
from libra.errors import JobError
from libra.jobs.gearman import GearmanJobClient
from libra.vips.netlink import KernelAddresses
from tests.support.haproxy import find_haproxy, stop_master
from tests.support.netlab import NetLab
from tests.support.ports import accepts, wait_until
from tests.support.programs import find_program
from tests.support.web import WebServer

BIN = Path(sys.executable).parent
WAIT = 60.0
JOBS, MEMBER = 4730, 8081


class LabHost:
    """Everything that a test asks of it goes by sockets of its namespace: a program for each would cost far more."""

    def __init__(self, lab: NetLab, name: str, directory: Path, **settings: Any) -> None:
        self.lab, self.name = lab, name
        self.directory = directory / name
        self.directory.mkdir()
        lab.add(name)
        self._write_settings(settings)
        gearmand = find_program("gearmand", package="gearman-job-server")
        words = (
            "--listen",
            "127.0.0.1",
            "--port",
            str(JOBS),
            "--log-file",
            "none",
            "--user",
            "root",
        )
        lab.start(name, gearmand, *words, "--pid-file", str(self.directory / "gearmand.pid"))
        self._web = lab.inside(name, lambda: WebServer(name, MEMBER))
        self._jobs = GearmanJobClient([JobServerSettings(host="127.0.0.1", port=JOBS)])
        wait_until(lambda: lab.inside(name, lambda: accepts(JOBS)), timeout=WAIT, what="gearmand")
        self.start()

    def start(self) -> None:
        """The worker; returns when it takes jobs."""
        config = str(self.directory / "libra.yaml")
        with (self.directory / "worker.log").open("ab") as log:
            command = (str(BIN / "libra-worker"), "--config", config)
            self.process = self.lab.start(self.name, *command, output=log)
        wait_until(lambda: self.send("DISCOVER"), timeout=WAIT, what="the worker")

    def send(self, action: str, **fields: Any) -> dict[str, Any]:
        """The reply; empty where none came."""
        message = json.dumps({"hpcs_action": action, **fields}).encode()
        try:
            answer = self.lab.inside(
                self.name, lambda: self._jobs.submit(self.name, message, timeout=WAIT)
            )
        except JobError:
            return {}
        return dict(json.loads(answer))

    def addresses(self) -> set[str]:
        """Those on its interface that are not its own."""
        present = self.lab.inside(self.name, KernelAddresses().present)
        number = self.lab.address(self.name).rpartition(".")[2]
        own = {self.lab.address(self.name), f"fd77::{number}"}
        found = {
            str(one.address)
            for one in present
            if one.interface == "eth0" and not one.address.is_link_local
        }
        return found - own

    def has(self, address: str) -> bool:
        return address in self.addresses()

    def kill_worker(self) -> None:
        self.process.kill()
        self.process.wait(WAIT)

    @contextmanager
    def frozen_worker(self) -> Iterator[None]:
        """It sees nothing and does nothing meanwhile."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """But for what `NetLab.close` ends."""
        if self.process.poll() is None:
            self.kill_worker()
        self._jobs.close()
        self._web.__exit__()
        stop_master(self.directory / "m")

    def _write_settings(self, settings: dict[str, Any]) -> None:
        given = {
            "worker": {"name": self.name, "state_dir": str(self.directory / "state")},
            "haproxy": {
                "supervisor": "own",
                "binary": str(find_haproxy("system")),
                "config_file": str(self.directory / "haproxy.cfg"),
                "admin_socket": str(self.directory / "a"),
                "master_socket": str(self.directory / "m"),
                "log_file": str(self.directory / "haproxy.log"),
            },
            **settings,
        }
        (self.directory / "libra.yaml").write_text(yaml.safe_dump(given))
