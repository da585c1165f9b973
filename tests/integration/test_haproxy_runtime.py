"""What an UPDATE changes in a real HAProxy without a reload, and that what cannot go so is one reload."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.config import Options
from libra.drivers.haproxy.effects import same
from libra.drivers.haproxy.observe import overlay, parse_servers_state, parse_stat
from libra.model.listener import Listener, Protocol
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.pool import (
    Algorithm,
    Condition,
    HealthMonitor,
    Member,
    MonitorType,
    PersistenceType,
    Pool,
    SessionPersistence,
)
from tests.support.haproxy import DrivenHAProxy, haproxy, haproxy_binary, socket_directory
from tests.support.ports import accepts, free_port, wait_until
from tests.support.web import WebServer, get

__all__ = ["haproxy", "haproxy_binary", "socket_directory"]

OPTIONS = Options(
    admin_socket="/a", log_target="stdout", version=(2, 6), hard_stop_after=timedelta(1)
)
MONITOR = HealthMonitor(
    type=MonitorType.CONNECT, delay=timedelta(seconds=1), timeout=timedelta(seconds=1), attempts=2
)


def member(name: str, **fields: object) -> Member:
    return replace(Member(id=name, address="127.0.0.1", port=9), **fields)


def desired(port: int, *members: Member, suspended: bool = False, **pool: object) -> Desired:
    listener = Listener(
        id="web",
        protocol=Protocol.HTTP,
        port=port,
        bind_address="127.0.0.1",
        pool=replace(Pool(id="web", members=members), **pool),
    )
    loadbalancer = LoadBalancer(id="web", listeners=(listener,))
    return Desired(loadbalancers=(loadbalancer,), suspended=suspended)


def reloads(haproxy: DrivenHAProxy) -> int:
    return haproxy.master.show_processes().master.reloads


def assert_runs(haproxy: DrivenHAProxy, wanted: Desired) -> None:
    """HAProxy itself says so, and its file says the same to whoever starts it next."""
    configuration = build(wanted, OPTIONS)
    servers = parse_servers_state(haproxy.admin.ask("show servers state"))
    rows = parse_stat(haproxy.admin.ask("show stat -1 5 -1"))
    assert same(overlay(configuration, servers, rows).configuration, configuration)
    for lb in wanted.loadbalancers:
        for item in lb.listeners[0].pool.members:
            assert f"    server {item.id} " in haproxy.text()


ONE, TWO, THREE = member("one"), member("two", port=10), member("three", port=11)
SIMPLE: list[tuple[str, Callable[[int], Desired]]] = [
    ("weight", lambda p: desired(p, replace(ONE, weight=7), TWO)),
    ("drain", lambda p: desired(p, replace(ONE, condition=Condition.DRAINING), TWO)),
    ("maint", lambda p: desired(p, replace(ONE, condition=Condition.DISABLED), TWO)),
    ("address", lambda p: desired(p, replace(ONE, address="127.0.0.2", port=99), TWO)),
    ("ipv6", lambda p: desired(p, replace(ONE, address="::1"), TWO)),
    ("add", lambda p: desired(p, ONE, TWO, THREE)),
    ("add in front", lambda p: desired(p, replace(THREE, weight=0), ONE, TWO)),
    ("add disabled", lambda p: desired(p, ONE, TWO, replace(THREE, condition=Condition.DISABLED))),
    ("add backup", lambda p: desired(p, ONE, TWO, replace(THREE, backup=True))),
    ("odd name", lambda p: desired(p, ONE, TWO, member("a b/ü;:1", port=12))),
    ("remove", lambda p: desired(p, TWO)),
    ("replace all", lambda p: desired(p, THREE)),
    ("suspend", lambda p: desired(p, ONE, TWO, suspended=True)),
    ("all at once", lambda p: desired(p, replace(TWO, weight=3, port=77), THREE, suspended=True)),
]


@pytest.mark.parametrize("change", [item[1] for item in SIMPLE], ids=[item[0] for item in SIMPLE])
@pytest.mark.parametrize(
    "pool",
    [{}, {"monitor": MONITOR}, {"algorithm": Algorithm.LEAST_CONNECTIONS}],
    ids=["plain", "checked", "leastconn"],
)
def test_it_goes_live_and_back_without_a_reload(
    haproxy: DrivenHAProxy, change: Callable[[int], Desired], pool: dict[str, object]
) -> None:
    port = free_port()

    def shaped(state: Desired) -> Desired:
        (lb,) = state.loadbalancers
        (listener,) = lb.listeners
        listener = replace(listener, pool=replace(listener.pool, **pool))
        return replace(state, loadbalancers=(replace(lb, listeners=(listener,)),))

    before, after = shaped(desired(port, ONE, TWO)), shaped(change(port))
    haproxy.driver.apply(before)
    for wanted in (after, before, after):
        haproxy.driver.apply(wanted)
        if not any(ord(c) > 127 for c in str(wanted)):
            wait_until(lambda: _settled(haproxy, wanted))  # noqa: B023 - used at once
    assert reloads(haproxy) == 0


def _settled(haproxy: DrivenHAProxy, wanted: Desired) -> bool:
    try:
        assert_runs(haproxy, wanted)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_every_algorithm_takes_changes_at_runtime(
    haproxy: DrivenHAProxy, algorithm: Algorithm
) -> None:
    port = free_port()
    haproxy.driver.apply(desired(port, ONE, TWO, algorithm=algorithm))
    wanted = desired(port, replace(ONE, weight=9), THREE, algorithm=algorithm)
    haproxy.driver.apply(wanted)
    wait_until(lambda: _settled(haproxy, wanted))
    assert reloads(haproxy) == 0


def test_traffic_follows_at_once(haproxy: DrivenHAProxy) -> None:
    port = free_port()
    with WebServer("one") as one, WebServer("two") as two:
        first, second = member("one", port=one.port), member("two", port=two.port)
        haproxy.driver.apply(desired(port, first))
        assert {get(port) for _ in range(4)} == {(200, "one")}
        haproxy.driver.apply(desired(port, first, second))
        assert {get(port) for _ in range(8)} == {(200, "one"), (200, "two")}
        haproxy.driver.apply(desired(port, replace(first, condition=Condition.DISABLED), second))
        assert {get(port) for _ in range(8)} == {(200, "two")}
        haproxy.driver.apply(desired(port, first, second, suspended=True))
        assert not accepts(port)
        haproxy.driver.apply(desired(port, first, second))
        assert {get(port) for _ in range(8)} == {(200, "one"), (200, "two")}
    assert reloads(haproxy) == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda port: desired(port, ONE, replace(TWO, backup=True)),
        lambda port: desired(port, ONE, replace(TWO, address="localhost")),
        lambda port: desired(port, ONE, TWO, monitor=MONITOR),
        lambda port: desired(port, ONE, TWO, algorithm=Algorithm.SOURCE_IP),
    ],
    ids=["backup", "host name", "monitor", "algorithm"],
)
def test_everything_else_is_one_reload(
    haproxy: DrivenHAProxy, change: Callable[[int], Desired]
) -> None:
    port = free_port()
    haproxy.driver.apply(desired(port, ONE, TWO))
    haproxy.driver.apply(change(port))
    assert reloads(haproxy) == 1
    wait_until(lambda: _settled(haproxy, change(port)))


def test_a_node_with_a_cookie_is_added_as_far_as_the_version_can(haproxy: DrivenHAProxy) -> None:
    port = free_port()
    cookie = {"persistence": SessionPersistence(type=PersistenceType.HTTP_COOKIE)}
    haproxy.driver.apply(desired(port, ONE, **cookie))
    haproxy.driver.apply(desired(port, ONE, TWO, **cookie))
    assert reloads(haproxy) == (1 if str(haproxy.driver.version().version) < "2.8" else 0)
    assert "two" in haproxy.admin.ask("show stat -1 4 -1")


def test_what_was_suspended_at_the_start_is_enabled_by_a_reload(haproxy: DrivenHAProxy) -> None:
    port = free_port()
    haproxy.driver.apply(desired(port, ONE, suspended=True))
    assert not accepts(port)
    haproxy.driver.apply(desired(port, ONE))
    assert accepts(port)
    assert reloads(haproxy) == 1


def test_a_refused_command_is_one_reload(haproxy: DrivenHAProxy) -> None:
    """Somebody took the server away behind our back: nothing may be left half done."""
    port = free_port()
    haproxy.driver.apply(desired(port, ONE, TWO))
    haproxy.admin.order(["set server be-web/one state maint", "del server be-web/one"])
    haproxy.driver.apply(desired(port, replace(ONE, weight=9), replace(TWO, weight=8)))
    assert reloads(haproxy) == 1
    assert_runs(haproxy, desired(port, replace(ONE, weight=9), replace(TWO, weight=8)))


def test_a_restarted_worker_goes_on_where_the_other_was(haproxy: DrivenHAProxy) -> None:
    port = free_port()
    haproxy.driver.apply(desired(port, ONE, TWO))
    haproxy.driver.apply(desired(port, replace(ONE, weight=9), THREE))
    other = haproxy.new_driver()
    other.apply(desired(port, replace(ONE, weight=9), THREE))
    other.apply(desired(port, ONE, TWO))
    wait_until(lambda: _settled(haproxy, desired(port, ONE, TWO)))
    assert reloads(haproxy) == 0
    other.close()


def test_the_saved_state_wins_over_what_was_half_done(haproxy: DrivenHAProxy) -> None:
    """As after a crash amid an UPDATE: the file is new, and HAProxy has some of it."""
    port = free_port()
    saved = desired(port, ONE, TWO)
    haproxy.driver.apply(desired(port, replace(ONE, weight=9), THREE))
    haproxy.admin.ask("set server be-web/one weight 3")
    other = haproxy.new_driver()
    other.apply(saved)
    wait_until(lambda: _settled(haproxy, saved))
    assert reloads(haproxy) == 0
    other.close()


def test_every_server_is_checked_that_is_not_in_maintenance(haproxy: DrivenHAProxy) -> None:
    """Also one that was added in maintenance, and one whose worker was killed before it had switched its check on."""
    port, off = free_port(), {"condition": Condition.DISABLED}
    apply = haproxy.driver.apply
    apply(desired(port, ONE, monitor=MONITOR))
    apply(desired(port, ONE, replace(TWO, **off), monitor=MONITOR))
    assert checked(haproxy) == {"one": True, "two": False}
    apply(desired(port, ONE, TWO, monitor=MONITOR))
    assert checked(haproxy) == {"one": True, "two": True}
    haproxy.admin.ask(
        "add server be-web/three 127.0.0.1:11 weight 1 check inter 1000ms fall 2 rise 2"
    )
    other = haproxy.new_driver()
    other.apply(desired(port, ONE, TWO, THREE, monitor=MONITOR))
    assert checked(haproxy) == {"one": True, "two": True, "three": True}
    assert reloads(haproxy) == 0
    other.close()


def checked(haproxy: DrivenHAProxy) -> dict[str, bool]:
    """Which servers HAProxy checks."""
    rows = parse_stat(haproxy.admin.ask("show stat -1 4 -1"))
    return {row["svname"]: row["check_status"] != "" for row in rows}


def test_a_crash_of_haproxy_after_a_change_starts_what_was_changed_to(
    haproxy: DrivenHAProxy,
) -> None:
    port = free_port()
    wanted = desired(port, replace(ONE, weight=9), THREE)
    haproxy.driver.apply(desired(port, ONE, TWO))
    haproxy.driver.apply(wanted)
    haproxy.driver.stop()
    haproxy.driver.ensure_running()
    assert_runs(haproxy, wanted)
    haproxy.driver.apply(desired(port, ONE, TWO))
    wait_until(lambda: _settled(haproxy, desired(port, ONE, TWO)))
    assert reloads(haproxy) == 0


def test_drift_is_undone(haproxy: DrivenHAProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    haproxy.driver.apply(desired(port, ONE, TWO))
    haproxy.admin.ask("set server be-web/one weight 0")
    monkeypatch.setattr("libra.drivers.haproxy.driver.LOOK_EVERY_SECONDS", 0.0)
    haproxy.driver.ensure_running()
    assert_runs(haproxy, desired(port, ONE, TWO))
    assert reloads(haproxy) == 0


def test_thousands_of_changes_are_one_reload(haproxy: DrivenHAProxy) -> None:
    port = free_port()
    many = [member(f"n{n}", address=f"10.0.{n >> 8}.{n & 255}") for n in range(1000)]
    haproxy.driver.apply(desired(port, *many))
    haproxy.driver.apply(desired(port, *(replace(item, weight=2) for item in many)))
    assert reloads(haproxy) == 1
    haproxy.driver.apply(desired(port, replace(many[0], weight=3), *many[1:]))
    assert reloads(haproxy) == 2  # the other 999 change back
