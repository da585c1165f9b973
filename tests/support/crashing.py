"""A device whose worker is killed in the middle of jobs, and what has to hold afterwards."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gear import constants

from libra.config.settings import HAProxySettings
from libra.drivers.base import Step
from libra.drivers.haproxy.driver import HAProxyDriver
from libra.drivers.haproxy.master import MasterSocket
from libra.drivers.haproxy.running import Plan
from libra.drivers.haproxy.runtime import AdminSocket
from libra.errors import ProxyNotRunning
from libra.model.loadbalancer import Desired
from libra.worker.state import FileState
from tests.support import forking
from tests.support.gearmand import Gearmand, read_admin
from tests.support.haproxy import is_running, kill
from tests.support.ports import wait_until
from tests.support.rawgearman import dial, read_packet, request
from tests.support.worker import WAIT, WorkerProcess

READY = "info     ready"
SABOTEUR = Path(__file__).with_name("saboteur.py")
# What may stand in the state directory; the last ones until the next write of the same file.
FILES = re.compile(
    r"desired\.json|worker\.lock|haproxy-counters\.json|haproxy\.(cfg|err|pid)"
    r"|haproxy\.cfg\.(last-good|servers|clients|rejected|d)|\.(desired|haproxy-counters)\.json\.new"
    r"|\.haproxy\.cfg\.(servers|clients)\.new"
)
Message = Mapping[str, object]


class SabotagedWorker(WorkerProcess):
    """`start` runs it under the saboteur, which looks for a plan at every job."""

    _crash_at = 0

    def start(self, *arguments: str) -> "SabotagedWorker":
        environ = {"CRASH_PLAN": str(self.plan_file), "CRASH_LOG": str(self.steps_file)}
        with self.log_file.open("ab") as log:
            self.process = forking.Popen(
                [sys.executable, SABOTEUR, "--config", self.config, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environ | environ,
            )
        return self

    def plan_crash(self, kind: str, step: int) -> None:
        """The next job, or start, is killed at this step; one beyond the last is only watched."""
        self.steps_file.unlink(missing_ok=True)
        beside = self.plan_file.with_suffix(".new")
        beside.write_text(f"{kind} {step}")
        beside.replace(self.plan_file)
        self._crash_at = step

    def await_crash(self) -> str | None:
        """Where it was killed; None where it came to the end."""
        wait_until(
            lambda: not self.is_running or self.steps[-1:] == ["end"],
            timeout=2 * WAIT,
            what="a crash",
        )
        self.plan_file.unlink()
        if self.is_running and len(self.steps) == self._crash_at:
            self.process.wait(WAIT)
        return None if self.is_running else self.steps[-1]

    @property
    def plan_file(self) -> Path:
        return self.directory / "plan"

    @property
    def steps_file(self) -> Path:
        return self.directory / "steps"

    @property
    def steps(self) -> list[str]:
        """Those that were made so far."""
        text = self.steps_file.read_text() if self.steps_file.exists() else ""
        return [line.split(" ", 1)[1] for line in text.splitlines()]

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


class CrashSite:
    """A worker with a HAProxy of its own, at a real gearmand; jobs are submitted in the background."""

    def __init__(self, directory: Path, sockets: Path, gearmand: Gearmand, binary: Path) -> None:
        self.gearmand = gearmand
        self.haproxy: dict[str, object] = {
            "supervisor": "own",
            "binary": str(binary),
            "config_file": str(directory / "state" / "haproxy.cfg"),
            "admin_socket": str(sockets / "a"),
            "master_socket": str(sockets / "m"),
            "log_file": str(directory / "access.log"),
            "hard_stop_after_seconds": 10,
            "max_old_processes": 50,
        }
        self.admin, self.master = AdminSocket(sockets / "a"), MasterSocket(sockets / "m")
        self.worker = SabotagedWorker(
            directory, [gearmand.port], worker={"driver": "haproxy"}, haproxy=self.haproxy
        )

    # Jobs.

    def send(self, action: str, message: Message) -> None:
        """A job that nobody waits for; gearmand gives it out until it is answered."""
        payload = json.dumps({"hpcs_action": action, **message}).encode()
        with dial(self.gearmand.port) as client:
            name = self.worker.name.encode()
            client.sendall(request(constants.SUBMIT_JOB_BG, name, b"", payload))
            assert read_packet(client)[0] == constants.JOB_CREATED

    def waiting(self) -> int:
        """How many jobs are not answered."""
        row = read_admin(self.gearmand.port, "status").get(self.worker.name.encode())
        return int(row[0]) if row else 0

    def carry_out(self, action: str, message: Message) -> None:
        """Send a job, and return once it is answered."""
        self.send(action, message)
        wait_until(lambda: self.waiting() == 0, timeout=WAIT, what=f"the answer to {action}")

    def ask(self, action: str, message: Message) -> dict[str, Any]:
        """The reply to a job."""
        return self.worker.ask(action, timeout=WAIT, **message)

    def start(self) -> None:
        """Return once the worker has restored the proxy, or has tried to."""
        ready = self.worker.log.count(READY) if self.worker.log_file.exists() else 0
        self.worker.start().wait_ready(times=ready + 1)

    def kill_everything(self) -> None:
        """As a power cut: the worker and all of HAProxy."""
        self.worker.end(signal.SIGKILL)
        pids = self.pids()
        for pid in pids:
            kill(pid)
        wait_until(lambda: not any(map(is_running, pids)), what="the end of HAProxy")

    def pids(self) -> list[int]:
        """Every process that runs on the configuration file."""
        file = str(self.haproxy["config_file"]).encode()
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and file in (entry / "cmdline").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return [pid for pid in found if is_running(pid)]

    def masters(self) -> list[int]:
        """Those of them that are nobody's child."""
        pids = set(self.pids())
        found = []
        for pid in pids:
            with suppress(OSError):  # it has ended meanwhile
                stat = Path(f"/proc/{pid}/stat").read_text()
                found += [pid] if int(stat.rpartition(") ")[2].split()[1]) not in pids else []
        return found

    def saved(self) -> Desired:
        """The state on disk."""
        return FileState(self.worker.state_dir / "desired.json").load()

    # What has to hold.

    def assert_settled(self, desired: Desired) -> None:
        """What is on disk, what is installed and what runs are all the same, and it is this."""
        assert self.saved() == desired
        wait_until(self._has_loaded, timeout=WAIT, what="the end of HAProxy's reload")
        driver = self.new_driver()
        try:
            wanted = driver._render(desired)
            assert driver._observe().installed.text == wanted.text

            def left() -> Plan:
                driver._live.forget()  # it would believe that what it saw once still runs
                return driver._look(wanted)[1]

            # A node that was removed goes when its last connection has ended, idle ones of HAProxy's own among them.
            wait_until(
                lambda: left().step is Step.NOTHING,
                timeout=2 * WAIT,
                what=f"the configuration to run: {left()}",
            )
        finally:
            driver.close()

    def _has_loaded(self) -> bool:
        """A master that loads a configuration does not answer."""
        try:
            workers = self.master.show_processes_now().workers
            info = self.admin.ask("show info").splitlines()
        except ProxyNotRunning:
            return False
        return f"Pid: {workers[-1].pid}" in info

    def new_driver(self) -> HAProxyDriver:
        return HAProxyDriver(
            HAProxySettings.model_validate(self.haproxy),
            self.worker.state_dir / "haproxy-counters.json",
        )

    def litter(self) -> set[str]:
        """Files that have no business there."""
        names = {path.name for path in self.worker.state_dir.iterdir()}
        text = Path(str(self.haproxy["config_file"])).read_text() if self.masters() else ""
        beside = {path.name for path in self.worker.state_dir.glob("haproxy.cfg.d/*")}
        return {name for name in names if not FILES.fullmatch(name)} | {
            name for name in beside if name not in text
        }

    def sessions(self) -> int:
        """All that were ever counted, as STATS tells."""
        reply = self.ask("STATS", {})
        assert reply["hpcs_response"] == "PASS", reply
        return sum(int(item["total_sessions"]) for item in reply["loadbalancers"])
