"""The installed libra-worker with a HAProxy of its own: what happens to the one must not hurt the other."""

import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from libra.drivers.haproxy.master import MasterSocket
from libra.errors import ProxyNotRunning
from tests.support.gearmand import Gearmand
from tests.support.haproxy import (
    find_haproxy,
    haproxy_binary,
    is_running,
    kill,
    socket_directory,
)
from tests.support.load import Load
from tests.support.ports import free_port, wait_until
from tests.support.web import WebServer, get
from tests.support.worker import WAIT, WorkerProcess

__all__ = ["haproxy_binary", "socket_directory"]


class Site:
    """A worker, its job server, two web servers, and the port that HAProxy serves."""

    def __init__(
        self,
        directory: Path,
        sockets: Path,
        gearmand: Gearmand,
        servers: list[WebServer],
        binary: Path,
    ) -> None:
        self.port = free_port()
        self.servers = servers
        self.master_socket = sockets / "m"
        self.haproxy: dict[str, object] = {
            "supervisor": "own",
            "binary": str(binary),
            "config_file": str(directory / "state" / "haproxy.cfg"),
            "admin_socket": str(sockets / "a"),
            "master_socket": str(self.master_socket),
            "log_file": str(directory / "access.log"),
        }
        self.worker = WorkerProcess(
            directory, [gearmand.port], worker={"driver": "haproxy"}, haproxy=self.haproxy
        )

    def update(self, **fields: object) -> dict[str, object]:
        nodes = [{"address": "127.0.0.1", "port": server.port} for server in self.servers]
        return {
            "loadbalancers": [
                {
                    "id": "15",
                    "protocol": "HTTP",
                    "bind_address": "127.0.0.1",
                    "port": self.port,
                    "nodes": nodes,
                    **fields,
                }
            ]
        }

    def is_served(self) -> bool:
        try:
            return get(self.port)[0] == 200
        except OSError:
            return False

    def master(self) -> int:
        """The process id of HAProxy's master."""
        return MasterSocket(self.master_socket).show_processes().master.pid

    def runs_anew(self, former: int) -> bool:
        """Whether another master is there."""
        with suppress(ProxyNotRunning):
            return self.master() != former
        return False

    def sessions(self) -> int:
        (loadbalancer,) = self.worker.ask("STATS")["loadbalancers"]  # type: ignore[misc]
        return int(loadbalancer["total_sessions"])


@pytest.fixture
def site(tmp_path: Path, socket_directory: Path, haproxy_binary: Path) -> Iterator[Site]:
    """The worker runs, and an UPDATE came."""
    with Gearmand() as gearmand, WebServer("one") as one, WebServer("two") as two:
        site = Site(tmp_path, socket_directory, gearmand, [one, two], haproxy_binary)
        with site.worker:
            site.worker.wait_ready()
            assert site.worker.ask("UPDATE", **site.update())["hpcs_response"] == "PASS"
            yield site


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_ends_and_comes_back_touches_no_traffic(
    site: Site, number: signal.Signals
) -> None:
    master = site.master()
    with Load(site.port) as load:
        before = site.sessions()
        site.worker.end(number)
        wait_until(lambda: load.total > 200, timeout=WAIT, what="traffic without a worker")
        site.worker.start().wait_ready(times=2)
        assert site.sessions() > before
    assert load.failures == []
    assert site.master() == master
    assert site.worker.log.count("configuration differs") == 2  # the empty one, and the UPDATE


def test_a_haproxy_that_died_is_brought_back(site: Site) -> None:
    master = site.master()
    kill(master)
    wait_until(lambda: not is_running(master), timeout=WAIT, what="its end")
    wait_until(lambda: not site.is_served() or site.runs_anew(master), what="the other's end")
    wait_until(site.is_served, timeout=WAIT, what="traffic")
    assert site.runs_anew(master)
    assert site.worker.ask("STATS")["hpcs_response"] == "PASS"


def test_after_a_reboot_traffic_is_served_without_any_job(site: Site) -> None:
    site.worker.end(signal.SIGKILL)
    kill(site.master())
    wait_until(lambda: not site.is_served(), timeout=WAIT, what="the end of HAProxy")
    site.worker.start()
    wait_until(site.is_served, timeout=WAIT, what="traffic")


def test_a_saved_state_that_cannot_be_read_leaves_traffic_alone(site: Site) -> None:
    with Load(site.port) as load:
        site.worker.end(signal.SIGKILL)
        (site.worker.state_dir / "desired.json").write_text('{"format": 99}')
        site.worker.start().wait_ready(times=2)
        assert "the proxy is not as saved" in site.worker.log
        reply = site.worker.ask("STATS")
        assert reply["hpcs_response"] == "PASS"  # for it serves
        assert "its format is not 1" in str(reply["hpcs_warning"])
        assert site.worker.ask("DISCOVER")["hpcs_response"] == "PASS"
        assert site.worker.ask("UPDATE", **site.update())["hpcs_response"] == "PASS"
        site.worker.wait_log("the proxy is as saved again")
    assert load.failures == []


def test_new_lines_for_haproxy_go_live_and_bad_ones_do_not(site: Site) -> None:
    master = site.master()
    with Load(site.port) as load:
        site.worker.serve(*site.worker.ports, haproxy={"extra_global": ["tune.bufsize 32768"]})
        site.worker.send(signal.SIGHUP)
        site.worker.wait_ready(times=2)
        assert "tune.bufsize 32768" in config(site)
        site.worker.serve(*site.worker.ports, haproxy={"extra_global": ["tune.bufsise 1"]})
        site.worker.send(signal.SIGHUP)
        site.worker.wait_log("the new settings are refused")
        assert "tune.bufsise" in site.worker.log
        assert "tune.bufsize 32768" in config(site)
        changed = site.update(algorithm="LEAST_CONNECTIONS")
        assert site.worker.ask("UPDATE", **changed)["hpcs_response"] == "PASS"
        site.worker.send(signal.SIGHUP)  # the same fault is told again
        wait_until(
            lambda: site.worker.log.count("cannot use the new settings") == 2,
            timeout=WAIT,
            what="the second refusal",
        )
    assert load.failures == []
    assert site.master() == master


def config(site: Site) -> str:
    return Path(str(site.haproxy["config_file"])).read_text()


def test_without_haproxy_jobs_are_answered_until_there_is_one(
    tmp_path: Path, socket_directory: Path
) -> None:
    with Gearmand() as gearmand, WebServer("one") as one:
        missing = tmp_path / "no-haproxy"
        site = Site(tmp_path, socket_directory, gearmand, [one], missing)
        with site.worker as worker:
            worker.wait_ready()
            assert f"cannot find HAProxy: haproxy.binary is {missing}" in worker.log
            reply = worker.ask("DISCOVER")
            assert (reply["hpcs_response"], reply["proxy_version"]) == ("PASS", None)
            assert worker.ask("STATS")["hpcs_response"] == "FAIL"
            reply = worker.ask("UPDATE", **site.update())
            assert "cannot find HAProxy" in str(reply["hpcs_error"])
            worker.serve(*worker.ports, haproxy={"binary": str(find_haproxy("system"))})
            worker.send(signal.SIGHUP)
            worker.wait_ready(times=2)
            assert worker.ask("UPDATE", **site.update())["hpcs_response"] == "PASS"
            assert site.is_served()


def test_a_killed_daemon_leaves_no_lock_behind_in_haproxy(
    tmp_path: Path, socket_directory: Path, haproxy_binary: Path
) -> None:
    with Gearmand() as gearmand, WebServer("one") as one:
        site = Site(tmp_path, socket_directory, gearmand, [one], haproxy_binary)
        worker = site.worker
        try:
            for _ in range(2):
                assert worker.run("--daemon").returncode == 0
                assert worker.ask("UPDATE", **site.update())["hpcs_response"] == "PASS"
                kill(int(worker.pid_file.read_text()))
            assert site.is_served()
        finally:
            kill(int(worker.pid_file.read_text()))
