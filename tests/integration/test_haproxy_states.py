"""The state of health checks over a reload: no server flashes UP or DOWN, and none is believed that should not be."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

import pytest

from libra.drivers.haproxy.observe import parse_stat
from libra.errors import ProxyNotRunning
from libra.model.loadbalancer import Desired
from libra.model.pool import Condition, HealthMonitor, Member, MonitorType
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

QUICK = timedelta(milliseconds=40)
NEVER = timedelta(hours=1)  # between checks: what is seen was taken along
FRESH = "UP 1/2"  # not checked yet: one failure is enough to bring it down
Build = Callable[..., Desired]


@pytest.fixture
def webs() -> Iterator[list[WebServer]]:
    with ExitStack() as stack:
        yield [stack.enter_context(WebServer(f"m{number}")) for number in range(3)]


@pytest.fixture
def build(webs: list[WebServer]) -> Build:
    """Members m2, m0 and m1 that are checked, m1 with these fields; another `delay` takes a reload."""
    listen = free_port()

    def make(
        delay: timedelta, *, whole: bool = True, attempts: int = 2, **fields: object
    ) -> Desired:
        (loadbalancer,) = build_desired(1, listen=listen).loadbalancers
        (listener,) = loadbalancer.listeners
        members = [
            Member(id=f"m{number}", address=LOOPBACK, port=web.port)
            for number, web in enumerate(webs)
        ]
        members[1] = replace(members[1], **fields)  # type: ignore[arg-type]
        members.insert(0, members.pop())  # the first one is checked at once, so m1 is the last
        monitor = HealthMonitor(
            type=MonitorType.HTTP,
            delay=delay,
            timeout=timedelta(seconds=5),
            attempts=attempts,
            path="/",
            expected_codes=((200, 200),),
        )
        pool = replace(listener.pool, members=tuple(members[not whole :]), monitor=monitor)
        listener = replace(listener, pool=pool)
        return Desired(loadbalancers=(replace(loadbalancer, listeners=(listener,)),))

    return make


def status(haproxy: DrivenHAProxy, server: str) -> str:
    """As HAProxy shows it: UP, UP 1/2, DOWN, DOWN 1/2, DRAIN, MAINT, no check."""
    rows = parse_stat(haproxy.admin.ask("show stat"))
    return next(row["status"] for row in rows if row["svname"] == server)


def bring_down(haproxy: DrivenHAProxy, build: Build, web: WebServer) -> None:
    """m1, by checks that fail."""
    haproxy.driver.apply(build(QUICK))
    web.answer_with(500)
    wait_until(lambda: status(haproxy, "m1") == "DOWN")


def bring_up(haproxy: DrivenHAProxy, build: Build, seen: int, web: WebServer) -> None:
    """Both, by checks that succeed."""
    haproxy.driver.apply(build(QUICK))
    wait_until(lambda: web.requests > seen + 3)
    assert status(haproxy, "m1") == "UP"


def test_a_server_that_is_down_stays_down(
    haproxy: DrivenHAProxy, build: Build, webs: list[WebServer]
) -> None:
    bring_down(haproxy, build, webs[1])
    pid, seen = haproxy.pid(), set()
    for hours in range(1, 6):
        haproxy.driver.apply(build(hours * NEVER))
        seen.add(status(haproxy, "m1"))
    assert haproxy.pid() != pid
    assert seen == {"DOWN"}
    assert status(haproxy, "m0") == "UP"
    webs[1].answer_with(200)
    haproxy.driver.apply(build(QUICK))
    wait_until(lambda: status(haproxy, "m1") == "UP")


def test_it_stays_down_where_another_goes(
    haproxy: DrivenHAProxy, build: Build, webs: list[WebServer]
) -> None:
    """And so is another one by position."""
    bring_down(haproxy, build, webs[1])
    haproxy.driver.apply(build(NEVER, whole=False))
    assert [status(haproxy, name) for name in ("m0", "m1")] == ["UP", "DOWN"]


def test_checks_that_failed_before_count_no_more(
    haproxy: DrivenHAProxy, build: Build, webs: list[WebServer]
) -> None:
    """HAProxy takes along that a server is up, not how nearly it is down."""
    seen = webs[1].requests
    haproxy.driver.apply(build(timedelta(seconds=1), attempts=4))
    wait_until(lambda: webs[1].requests > seen)
    webs[1].answer_with(500)
    wait_until(lambda: status(haproxy, "m1") == "UP 3/4")
    haproxy.driver.apply(build(NEVER, attempts=4))
    assert status(haproxy, "m1") == "UP"


def test_a_server_that_is_up_stays_up(
    haproxy: DrivenHAProxy, build: Build, webs: list[WebServer]
) -> None:
    """Though it would not be checked for an hour."""
    bring_up(haproxy, build, webs[1].requests, webs[1])
    for hours in range(1, 4):
        haproxy.driver.apply(build(hours * NEVER))
        assert [status(haproxy, name) for name in ("m0", "m1")] == ["UP", "UP"]
        assert "L7OK" in haproxy.admin.ask("show stat")


def test_draining_is_as_desired(
    haproxy: DrivenHAProxy, build: Build, webs: list[WebServer]
) -> None:
    bring_up(haproxy, build, webs[1].requests, webs[1])
    for hours in (1, 2):
        haproxy.driver.apply(build(hours * NEVER, condition=Condition.DRAINING, weight=7))
        assert status(haproxy, "m1") == "UP"
        assert "0 (initial 0)" in haproxy.admin.ask("get weight be-web/m1")
    haproxy.driver.apply(build(3 * NEVER, weight=5))
    assert status(haproxy, "m1").startswith("NOLB")  # until it is checked
    assert "5 (initial 5)" in haproxy.admin.ask("get weight be-web/m1")
    bring_up(haproxy, build, webs[1].requests, webs[1])


def test_maintenance_is_as_desired(
    haproxy: DrivenHAProxy, build: Build, webs: list[WebServer]
) -> None:
    bring_up(haproxy, build, webs[1].requests, webs[1])
    for hours in (1, 2):
        haproxy.driver.apply(build(hours * NEVER, condition=Condition.DISABLED))
        assert status(haproxy, "m1") == "MAINT"
        assert status(haproxy, "m0") == "UP"


def test_a_drained_server_that_is_down_is_still_down_when_it_comes_back(
    haproxy: DrivenHAProxy, build: Build, webs: list[WebServer]
) -> None:
    bring_down(haproxy, build, webs[1])
    haproxy.driver.apply(build(NEVER, condition=Condition.DRAINING))
    haproxy.driver.apply(build(2 * NEVER))
    assert status(haproxy, "m1") == "DOWN"


def test_a_server_that_comes_out_of_maintenance_starts_afresh(
    haproxy: DrivenHAProxy, build: Build, webs: list[WebServer]
) -> None:
    bring_down(haproxy, build, webs[1])
    haproxy.driver.apply(build(QUICK, condition=Condition.DISABLED))
    assert status(haproxy, "m1") == "MAINT"
    haproxy.driver.apply(build(NEVER))
    assert status(haproxy, "m1") == FRESH


def test_a_server_that_moved_starts_afresh(
    haproxy: DrivenHAProxy, build: Build, webs: list[WebServer]
) -> None:
    bring_down(haproxy, build, webs[1])
    with WebServer("elsewhere") as other:
        haproxy.driver.apply(build(NEVER, port=other.port))
        assert status(haproxy, "m1") == FRESH


def test_nothing_is_believed_after_a_crash(
    haproxy: DrivenHAProxy, build: Build, webs: list[WebServer]
) -> None:
    bring_down(haproxy, build, webs[1])
    haproxy.driver.apply(build(NEVER))
    assert status(haproxy, "m1") == "DOWN"
    processes = haproxy.master.show_processes()
    for process in (processes.master, *processes.workers):
        kill(process.pid)
    wait_until(lambda: not answers(haproxy))
    haproxy.driver.ensure_running()
    assert status(haproxy, "m1") == FRESH


def answers(haproxy: DrivenHAProxy) -> bool:
    try:
        haproxy.pid()
    except ProxyNotRunning:
        return False
    return True


def test_haproxy_finds_nothing_to_complain_about(
    haproxy: DrivenHAProxy, build: Build, webs: list[WebServer]
) -> None:
    """At the first start, at reloads with states and without, at a restart."""
    haproxy.driver.apply(Desired())
    bring_down(haproxy, build, webs[1])
    haproxy.driver.apply(build(NEVER))
    haproxy.driver.apply(build(NEVER, whole=False))
    haproxy.driver.apply(Desired())
    haproxy.driver.stop()
    haproxy.driver.ensure_running()
    notices = (haproxy.directory / "haproxy.err").read_text()
    assert "Loading success" in notices
    assert [line for line in notices.splitlines() if "state file" in line] == []
