"""The driver beside an init system that runs HAProxy: here the test stands in for it, and starts real ones."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from libra.config.values import Supervisor
from libra.errors import DriverError, ProxyNotRunning, ReloadFailed
from libra.model.loadbalancer import Desired
from tests.support.desired import build_desired
from tests.support.haproxy import (
    DrivenHAProxy,
    haproxy_binary,
    is_running,
    kill,
    socket_directory,
)
from tests.support.ports import free_port, free_ports, wait_until
from tests.support.web import WebServer, get

__all__ = ["haproxy_binary", "socket_directory"]


class InitSystem:
    """Starts HAProxy as libra-haproxy.service does, and reaps it."""

    def __init__(self, haproxy: DrivenHAProxy) -> None:
        settings = haproxy.settings.haproxy
        socket = f"{settings.master_socket},mode,600"
        self._argv = [str(settings.binary), "-W", "-S", socket, "-f", str(settings.config_file)]
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self) -> int:
        """The master's process id."""
        null = subprocess.DEVNULL
        self._started.append(subprocess.Popen(self._argv, stdin=null, stdout=null, stderr=null))
        return self._started[-1].pid

    def restart_once(self) -> threading.Thread:
        """Start another as soon as the last one ends."""

        def watch() -> None:
            self._started[-1].wait()
            self.start()

        thread = threading.Thread(target=watch)
        thread.start()
        return thread

    def stop(self) -> None:
        """End what was started."""
        for process in self._started:
            process.terminate()
            process.wait()


@pytest.fixture
def haproxy(haproxy_binary: Path, tmp_path: Path, socket_directory: Path) -> DrivenHAProxy:
    return DrivenHAProxy(haproxy_binary, tmp_path, socket_directory, supervisor=Supervisor.SYSTEMD)


@pytest.fixture
def impatient(haproxy: DrivenHAProxy, socket_directory: Path) -> DrivenHAProxy:
    """The same, which does not wait long for systemd."""
    binary = haproxy.settings.haproxy.binary
    assert binary is not None
    return DrivenHAProxy(
        binary,
        haproxy.directory,
        socket_directory,
        supervisor=Supervisor.SYSTEMD,
        reload_timeout_seconds=1.0,
    )


@pytest.fixture
def init_system(haproxy: DrivenHAProxy) -> Iterator[InitSystem]:
    system = InitSystem(haproxy)
    yield system
    haproxy.driver.close()
    system.stop()


def test_the_first_file_waits_for_the_unit(
    haproxy: DrivenHAProxy, impatient: DrivenHAProxy, init_system: InitSystem
) -> None:
    with pytest.raises(ProxyNotRunning, match=r"'systemctl start libra-haproxy.service' starts it"):
        impatient.driver.apply(Desired())
    with pytest.raises(ProxyNotRunning, match=r"'systemctl start libra-haproxy.service' starts it"):
        impatient.driver.ensure_running()
    init_system.start()
    haproxy.driver.apply(Desired())
    assert haproxy.master.show_processes().master.reloads == 0


def test_a_change_is_a_reload(haproxy: DrivenHAProxy, init_system: InitSystem) -> None:
    first, second = free_ports(2)
    with WebServer("one") as one:
        thread = _start_when_installed(haproxy, init_system)
        haproxy.driver.apply(build_desired(one.port, listen=first))
        thread.join()
        master = haproxy.master.show_processes().master
        haproxy.driver.apply(build_desired(one.port, listen=second))
        assert get(second) == (200, "one")
        after = haproxy.master.show_processes().master
        assert (after.pid, after.reloads) == (master.pid, master.reloads + 1)


@pytest.mark.parametrize("victim", ["worker", "master"])
def test_a_restart_by_the_init_system_is_awaited(
    haproxy: DrivenHAProxy, init_system: InitSystem, victim: str
) -> None:
    port = free_port()
    with WebServer("one") as one, WebServer("two") as two:
        thread = _start_when_installed(haproxy, init_system)
        haproxy.driver.apply(build_desired(one.port, listen=port))
        thread.join()
        processes = haproxy.master.show_processes()
        old = processes.workers[0].pid
        thread = init_system.restart_once()
        kill(old if victim == "worker" else processes.master.pid)
        wait_until(lambda: not is_running(old))
        haproxy.driver.apply(build_desired(two.port, listen=port))
        thread.join()
        assert get(port) == (200, "two")
        haproxy.driver.ensure_running()


def test_a_failed_reload_says_where_the_words_are(
    haproxy: DrivenHAProxy, init_system: InitSystem, socket_directory: Path
) -> None:
    port = free_port()
    thread = _start_when_installed(haproxy, init_system)
    haproxy.driver.apply(build_desired(1, listen=port))
    thread.join()
    text, pid = haproxy.text(), haproxy.pid()
    taken = DrivenHAProxy(
        Path(str(haproxy.settings.haproxy.binary)),
        haproxy.directory,
        socket_directory,
        supervisor=Supervisor.SYSTEMD,
        extra_global=[f"stats socket {socket_directory}/no/such/directory/socket"],
    )
    with pytest.raises(ReloadFailed) as caught:
        taken.driver.apply(build_desired(1, listen=port))
    words = str(caught.value)
    assert "no/such/directory" in words or "'journalctl -u libra-haproxy.service'" in words
    assert (haproxy.text(), haproxy.pid()) == (text, pid)


def test_it_is_not_the_workers_to_stop(haproxy: DrivenHAProxy) -> None:
    with pytest.raises(DriverError, match="it belongs to systemd"):
        haproxy.driver.stop()


def _start_when_installed(haproxy: DrivenHAProxy, init_system: InitSystem) -> threading.Thread:
    """As a path unit would."""

    def watch() -> None:
        with suppress(AssertionError):
            wait_until(haproxy.config_file.exists)
            init_system.start()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread
