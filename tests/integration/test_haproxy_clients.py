"""Clients that are tied by their address keep their server, whatever an UPDATE changes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from libra.errors import ProxyNotRunning
from libra.model.loadbalancer import Desired
from libra.model.pool import Algorithm, Member, PersistenceType, SessionPersistence
from tests.support.clients import KeptConnection, addresses, ask, find_homes, visiting
from tests.support.desired import build_desired
from tests.support.haproxy import (
    DrivenHAProxy,
    haproxy,
    haproxy_binary,
    kill,
    socket_directory,
)
from tests.support.ports import LOOPBACK, free_port, wait_until
from tests.support.web import WebServer

__all__ = ["haproxy", "haproxy_binary", "socket_directory"]

STICKY = SessionPersistence(type=PersistenceType.SOURCE_IP)
Build = Callable[..., Desired]


@pytest.fixture
def webs() -> Iterator[list[WebServer]]:
    with ExitStack() as stack:
        yield [stack.enter_context(WebServer(f"m{number}")) for number in range(4)]


@pytest.fixture
def build(webs: list[WebServer]) -> Build:
    """Members by number, tied by stick table or by hash; `limit` is what takes a reload."""
    listen = free_port()

    def make(*numbers: int, limit: int = 1000, sticky: bool = True) -> Desired:
        (loadbalancer,) = build_desired(1, listen=listen).loadbalancers
        (listener,) = loadbalancer.listeners
        members = tuple(
            Member(id=f"m{number}", address=LOOPBACK, port=webs[number].port) for number in numbers
        )
        pool = replace(
            listener.pool,
            members=members,
            algorithm=Algorithm.ROUND_ROBIN if sticky else Algorithm.SOURCE_IP,
            persistence=STICKY if sticky else None,
        )
        listener = replace(listener, connection_limit=limit, pool=pool)
        return Desired(loadbalancers=(replace(loadbalancer, listeners=(listener,)),))

    return make


def port_of(desired: Desired) -> int:
    return desired.loadbalancers[0].listeners[0].port


def reloads(haproxy: DrivenHAProxy) -> int:
    return haproxy.master.show_processes().master.reloads


@pytest.mark.load
@pytest.mark.parametrize("sticky", [True, False])
def test_no_client_moves_at_a_reload(haproxy: DrivenHAProxy, build: Build, *, sticky: bool) -> None:
    """Also at one that comes before the process knows that nobody will teach it: five seconds."""
    desired = build(0, 1, 2, sticky=sticky)
    haproxy.driver.apply(desired)
    homes = find_homes(addresses(400), port_of(desired))
    assert set(homes.values()) == {"m0", "m1", "m2"}
    with visiting(homes, port_of(desired)) as visits:
        for limit in range(1001, 1016):
            seen = visits.count
            haproxy.driver.apply(build(0, 1, 2, limit=limit, sticky=sticky))
            wait_until(lambda seen=seen: visits.count > seen + 20)
    assert (visits.failures, visits.moved) == ([], [])
    assert reloads(haproxy) == 15
    assert find_homes(homes, port_of(desired)) == homes


def test_clients_that_stay_away_for_many_reloads_come_back_to_their_server(
    haproxy: DrivenHAProxy, build: Build
) -> None:
    desired = build(0, 1, 2)
    haproxy.driver.apply(desired)
    homes = find_homes(addresses(30), port_of(desired))
    for limit in range(1001, 1007):
        haproxy.driver.apply(build(0, 1, 2, limit=limit))
    assert find_homes(homes, port_of(desired)) == homes


def test_a_client_that_stays_connected_to_the_old_process_stays_at_its_server(
    haproxy: DrivenHAProxy, build: Build
) -> None:
    """That process gives its stick tables up, a second after it was replaced at the latest."""
    desired = build(0, 1, 2)
    haproxy.driver.apply(desired)
    with ExitStack() as stack:
        connections = [
            stack.enter_context(KeptConnection(client, port_of(desired)))
            for client in addresses(30)
        ]
        homes = [connection.ask() for connection in connections]
        find_homes(addresses(20, net=2), port_of(desired))
        old = haproxy.pid()
        haproxy.driver.apply(build(0, 1, 2, limit=1001))
        wait_until(lambda: table_size(haproxy, old) == 30, what="the others to be forgotten")
        # backwards, or round robin would by chance do the same again
        assert [connection.ask() for connection in connections[::-1]] == homes[::-1]


def table_size(haproxy: DrivenHAProxy, pid: int) -> int:
    return haproxy.master.ask_worker(pid, "show table be-web").count(" use=")


def test_a_process_is_taught_by_the_one_before(haproxy: DrivenHAProxy, build: Build) -> None:
    """Without a word of libra's, as when somebody else reloads HAProxy: once it knows that it has nothing to learn."""
    desired = build(0, 1, 2)
    haproxy.driver.apply(desired)
    homes = find_homes(addresses(30), port_of(desired))
    (haproxy.directory / "haproxy.cfg.clients").write_text("")
    wait_until(lambda: has_learned(haproxy), timeout=60, what="the first process to stop asking")
    before = haproxy.pid()
    haproxy.master.reload(timedelta(seconds=10))
    wait_until(lambda: serving_pid(haproxy) not in (before, None))
    wait_until(lambda: "used:30" in haproxy.admin.ask("show table"), what="the lesson")
    assert find_homes(homes, port_of(desired)) == homes


def has_learned(haproxy: DrivenHAProxy) -> bool:
    flags = haproxy.admin.ask("show peers").partition("flags=")[2].split()[0]
    return int(flags, 16) & 3 == 3


def test_other_servers_come_and_go(haproxy: DrivenHAProxy, build: Build) -> None:
    """At runtime and by reloads, also in another order."""
    desired = build(0, 1, 2)
    haproxy.driver.apply(desired)
    port, before = port_of(desired), haproxy.pid()
    homes = find_homes(addresses(60), port)
    stays = {client: home for client, home in homes.items() if home != "m1"}
    haproxy.driver.apply(build(0, 1, 2, 3))
    assert find_homes(homes, port) == homes
    haproxy.driver.apply(build(3, 0, 2))
    assert find_homes(stays, port) == stays
    assert haproxy.pid() == before
    haproxy.driver.apply(build(2, 3, 0, limit=1001))
    assert find_homes(stays, port) == stays
    haproxy.driver.apply(build(1, 2, 0, 3, limit=1002))
    assert find_homes(stays, port) == stays
    assert haproxy.pid() != before


def test_the_hash_moves_clients_to_the_new_server_only(
    haproxy: DrivenHAProxy, build: Build
) -> None:
    desired = build(0, 1, 2, sticky=False)
    haproxy.driver.apply(desired)
    port, before = port_of(desired), haproxy.pid()
    homes = find_homes(addresses(200), port)
    haproxy.driver.apply(build(3, 0, 1, 2, sticky=False))
    assert haproxy.pid() == before
    wider = find_homes(homes, port)
    moved = {client for client in homes if wider[client] != homes[client]}
    assert 10 < len(moved) < 100
    assert {wider[client] for client in moved} == {"m3"}
    haproxy.driver.apply(build(0, 3, 2, 1, sticky=False, limit=1001))  # the same from scratch
    assert haproxy.pid() != before
    assert find_homes(homes, port) == wider
    haproxy.driver.apply(build(2, 1, 0, sticky=False))
    assert find_homes(homes, port) == homes


def test_clients_keep_their_server_over_a_crash(haproxy: DrivenHAProxy, build: Build) -> None:
    """As far as it was known at the last reload."""
    desired = build(0, 1, 2)
    haproxy.driver.apply(desired)
    homes = find_homes(addresses(60), port_of(desired))
    haproxy.driver.apply(build(0, 1, 2, limit=1001))
    processes = haproxy.master.show_processes()
    for process in (processes.master, *processes.workers):
        kill(process.pid)
    wait_until(lambda: serving_pid(haproxy) is None)
    haproxy.driver.ensure_running()
    assert find_homes(homes, port_of(desired)) == homes


def serving_pid(haproxy: DrivenHAProxy) -> int | None:
    try:
        return haproxy.pid()
    except ProxyNotRunning:
        return None


def test_a_first_update_makes_the_directory(
    haproxy_binary: Path, tmp_path: Path, socket_directory: Path, build: Build
) -> None:
    haproxy = DrivenHAProxy(haproxy_binary, tmp_path / "new" / "place", socket_directory)
    haproxy.driver.apply(build(0, 1))
    assert ask("127.0.0.1", port_of(build(0, 1))) in ("m0", "m1")
    haproxy.driver.close()


def test_a_lost_file_keeps_nothing_from_starting(haproxy: DrivenHAProxy, build: Build) -> None:
    desired = build(0, 1)
    haproxy.driver.apply(desired)
    (haproxy.directory / "haproxy.cfg.clients").unlink()
    haproxy.driver.apply(build(0, 1, limit=1001))
    (haproxy.directory / "haproxy.cfg.clients").unlink()
    processes = haproxy.master.show_processes()
    for process in (processes.master, *processes.workers):
        kill(process.pid)
    wait_until(lambda: serving_pid(haproxy) is None)
    haproxy.driver.ensure_running()
    assert ask("127.0.0.1", port_of(desired)) in ("m0", "m1")


def test_nothing_of_clients_stays_after_a_delete(haproxy: DrivenHAProxy, build: Build) -> None:
    desired = build(0, 1)
    haproxy.driver.apply(desired)
    find_homes(addresses(5), port_of(desired))
    haproxy.driver.apply(build(0, 1, limit=1001))
    file: Path = haproxy.directory / "haproxy.cfg.clients"
    assert "127.1.0.3@be-web m" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    haproxy.driver.apply(Desired())
    assert file.read_text() == ""
