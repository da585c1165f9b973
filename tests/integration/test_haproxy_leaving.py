"""A node that is removed at runtime ends what it serves, as long as it may, and is gone then."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from libra.drivers.haproxy.observe import parse_servers_state
from libra.drivers.haproxy.reload import Reloader
from libra.model.loadbalancer import Desired
from libra.model.pool import Member
from tests.support.desired import build_desired
from tests.support.haproxy import (
    DrivenHAProxy,
    haproxy,
    haproxy_binary,
    socket_directory,
)
from tests.support.ports import LOOPBACK, free_port, wait_until
from tests.support.slow import Download, SlowServer
from tests.support.web import WebServer, get

__all__ = ["haproxy", "haproxy_binary", "socket_directory"]

Build = Callable[..., Desired]


@pytest.fixture
def slow() -> Iterator[SlowServer]:
    with SlowServer() as server:
        yield server


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer("web") as server:
        yield server


@pytest.fixture
def build(slow: SlowServer, web: WebServer) -> Build:
    """The members by name, of "slow" and "web"; another `limit` takes a reload."""
    listen = free_port()
    members = {
        name: Member(id=name, address=LOOPBACK, port=port)
        for name, port in (("slow", slow.port), ("web", web.port))
    }

    def make(*names: str, limit: int = 1000) -> Desired:
        (loadbalancer,) = build_desired(1, listen=listen).loadbalancers
        (listener,) = loadbalancer.listeners
        pool = replace(listener.pool, members=tuple(members[name] for name in names))
        listener = replace(listener, pool=pool, connection_limit=limit)
        return Desired(loadbalancers=(replace(loadbalancer, listeners=(listener,)),))

    return make


def port_of(desired: Desired) -> int:
    return desired.loadbalancers[0].listeners[0].port


def servers(haproxy: DrivenHAProxy) -> dict[str, str]:
    """What HAProxy has, and how."""
    states = parse_servers_state(haproxy.admin.ask("show servers state"))
    return {item.name: "maint" if item.in_maintenance else "ready" for item in states}


def reloads(haproxy: DrivenHAProxy) -> int:
    return haproxy.master.show_processes().master.reloads


def driven(binary: Path, directory: Path, sockets: Path, policy: str) -> DrivenHAProxy:
    """The shortest drain time there is."""
    return DrivenHAProxy(binary, directory, sockets, drain_timeout_seconds=1, drain_policy=policy)


def test_it_ends_what_it_serves_and_gets_nothing_new(
    haproxy: DrivenHAProxy, build: Build, slow: SlowServer
) -> None:
    haproxy.driver.apply(build("slow"))
    port = port_of(build("slow"))
    with Download(port) as download:
        slow.send_piece()
        assert download.receive_piece()
        haproxy.driver.apply(build("web"))
        assert servers(haproxy) == {"slow": "maint", "web": "ready"}
        assert {get(port) for _ in range(6)} == {(200, "web")}
        for _ in range(2):
            slow.send_piece()
            assert download.receive_piece()
        assert download.complete
    wait_until(lambda: servers(haproxy) == {"web": "ready"}, what="the removal")
    assert reloads(haproxy) == 0


def test_it_comes_back_while_it_is_still_there(
    haproxy: DrivenHAProxy, build: Build, slow: SlowServer
) -> None:
    haproxy.driver.apply(build("slow"))
    port = port_of(build("slow"))
    with Download(port) as download:
        slow.send_piece()
        haproxy.driver.apply(build("web"))
        haproxy.driver.apply(build("slow"))
        wait_until(lambda: servers(haproxy) == {"slow": "ready"}, what="the removal of the other")
        with Download(port) as another:
            for _ in range(2):
                slow.send_piece()
                assert download.receive_piece()
                assert another.receive_piece()
        assert download.receive_piece()
        assert download.complete
    assert servers(haproxy) == {"slow": "ready"}
    assert reloads(haproxy) == 0


def test_it_comes_back_after_it_went_and_its_counters_go_on(
    haproxy: DrivenHAProxy, build: Build
) -> None:
    haproxy.driver.apply(build("slow", "web"))
    port = port_of(build("web"))
    haproxy.driver.apply(build("web"))
    wait_until(lambda: servers(haproxy) == {"web": "ready"})
    for _ in range(3):
        assert get(port) == (200, "web")
    wait_until(lambda: sessions(haproxy, build("web")) == 3)
    haproxy.driver.apply(build("slow"))
    wait_until(lambda: servers(haproxy) == {"slow": "ready"})
    haproxy.driver.apply(build("web"))
    assert get(port) == (200, "web")
    wait_until(lambda: sessions(haproxy, build("web")) == 4)
    assert reloads(haproxy) == 0


def sessions(haproxy: DrivenHAProxy, desired: Desired) -> int:
    """Of the load balancer, and so of its only member."""
    return haproxy.driver.statistics(desired)[0].total_sessions


def test_it_is_cut_when_its_time_is_over(
    haproxy_binary: Path, tmp_path: Path, socket_directory: Path, build: Build, slow: SlowServer
) -> None:
    haproxy = driven(haproxy_binary, tmp_path, socket_directory, "close")
    haproxy.driver.apply(build("slow"))
    with Download(port_of(build("slow"))) as download:
        slow.send_piece()
        assert download.receive_piece()
        haproxy.driver.apply(build("web"))
        slow.send_piece()
        assert download.receive_piece()
        assert not download.receive_piece()  # which waits until it is cut
    wait_until(lambda: servers(haproxy) == {"web": "ready"}, what="the removal")
    haproxy.driver.close()


def test_its_time_is_over_amid_a_reload_that_brings_it_back(
    haproxy_binary: Path,
    tmp_path: Path,
    socket_directory: Path,
    build: Build,
    slow: SlowServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the new process it is a server like any other, whose clients are not those that had to go."""
    haproxy = driven(haproxy_binary, tmp_path, socket_directory, "close")
    haproxy.driver.apply(build("slow"))
    port = port_of(build("slow"))
    let_go = Reloader._has_let_go
    with ExitStack() as clients:
        clients.enter_context(Download(port))
        haproxy.driver.apply(build("web"))
        assert servers(haproxy) == {"slow": "maint", "web": "ready"}
        fresh: list[Download] = []

        def take_long(*arguments: object) -> bool:
            if not let_go(*arguments):
                return False
            if not fresh:
                fresh.append(clients.enter_context(Download(port)))
                threading.Event().wait(4)  # it is time itself that must pass
            return True

        monkeypatch.setattr(Reloader, "_has_let_go", take_long)
        haproxy.driver.apply(build("slow", limit=1001))
        for _ in range(3):
            slow.send_piece()
            assert fresh[0].receive_piece()
        assert fresh[0].complete
    haproxy.driver.close()


def test_or_it_is_left_alone(
    haproxy_binary: Path, tmp_path: Path, socket_directory: Path, build: Build, slow: SlowServer
) -> None:
    """Twice as long as the other policy would."""
    haproxy = driven(haproxy_binary, tmp_path, socket_directory, "keep")
    haproxy.driver.apply(build("slow"))
    with Download(port_of(build("slow"))) as download:
        haproxy.driver.apply(build("web"))
        threading.Event().wait(2)  # it is time itself that must pass
        for _ in range(3):
            slow.send_piece()
            assert download.receive_piece()
        assert download.complete
    wait_until(lambda: servers(haproxy) == {"web": "ready"}, what="the removal")
    haproxy.driver.close()


def test_a_restarted_worker_goes_on_with_it(
    haproxy: DrivenHAProxy, build: Build, slow: SlowServer
) -> None:
    haproxy.driver.apply(build("slow"))
    with Download(port_of(build("slow"))) as download:
        slow.send_piece()
        haproxy.driver.apply(build("web"))
        haproxy.driver.close()
        again = haproxy.new_driver()
        again.apply(build("web"))
        assert servers(haproxy) == {"slow": "maint", "web": "ready"}
        for _ in range(2):
            slow.send_piece()
        assert all(download.receive_piece() for _ in range(3))
    wait_until(lambda: servers(haproxy) == {"web": "ready"}, what="the removal")
    assert reloads(haproxy) == 0
    again.close()


def test_a_restarted_worker_may_want_it_back(
    haproxy: DrivenHAProxy, build: Build, slow: SlowServer
) -> None:
    haproxy.driver.apply(build("slow"))
    with Download(port_of(build("slow"))) as download:
        haproxy.driver.apply(build("web"))
        haproxy.driver.close()
        again = haproxy.new_driver()
        again.apply(build("web", "slow"))
        assert servers(haproxy) == {"slow": "ready", "web": "ready"}
        for _ in range(3):
            slow.send_piece()
            assert download.receive_piece()
    assert reloads(haproxy) == 0
    again.close()


def test_a_reload_takes_it_away_and_the_old_process_ends_it(
    haproxy: DrivenHAProxy, build: Build, slow: SlowServer
) -> None:
    haproxy.driver.apply(build("slow"))
    with Download(port_of(build("slow"))) as download:
        haproxy.driver.apply(build("web"))
        haproxy.driver.apply(build("web", limit=1001))
        assert servers(haproxy) == {"web": "ready"}
        for _ in range(3):
            slow.send_piece()
            assert download.receive_piece()
        haproxy.driver.apply(build("slow", limit=1001))
        wait_until(lambda: servers(haproxy) == {"slow": "ready"})
    assert reloads(haproxy) == 1
