"""A member that is drained and comes back: without a reload, over one, and not before its check has passed again."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from libra.model.listener import Listener, Protocol
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.pool import Condition, HealthMonitor, Member, MonitorType, Pool
from libra.model.statistics import MemberStatus
from tests.support.haproxy import DrivenHAProxy, haproxy, haproxy_binary, socket_directory
from tests.support.ports import LOOPBACK, free_port, wait_until
from tests.support.web import WebServer, get

__all__ = ["haproxy", "haproxy_binary", "socket_directory"]

MONITOR = HealthMonitor(
    type=MonitorType.HTTP,
    delay=timedelta(seconds=1),
    timeout=timedelta(seconds=1),
    attempts=2,
    attempts_down=10,  # HAProxy takes long to see that somebody is ill, but must not trust that
)


@dataclass
class Pair:
    """Two members behind one listener."""

    haproxy: DrivenHAProxy
    one: WebServer
    two: WebServer
    port: int
    extra: int

    def desired(self, condition: Condition, *, reload: bool = False) -> Desired:
        """With `one` in that condition; `reload`: another listener comes with it."""
        members = (
            Member(id="one", address=LOOPBACK, port=self.one.port, condition=condition),
            Member(id="two", address=LOOPBACK, port=self.two.port),
        )
        pool = Pool(id="p", members=members, monitor=MONITOR)
        listener = Listener(
            id="l", protocol=Protocol.HTTP, port=self.port, bind_address=LOOPBACK, pool=pool
        )
        more = (replace(listener, id="m", port=self.extra),) if reload else ()
        return Desired(loadbalancers=(LoadBalancer(id="a", listeners=(listener, *more)),))

    def apply(self, condition: Condition, *, reload: bool = False) -> None:
        self.state = self.desired(condition, reload=reload)
        self.haproxy.driver.apply(self.state)

    def status(self) -> MemberStatus:
        """Of `one`."""
        (told,) = self.haproxy.driver.statistics(self.state)
        return told.pools[0].members[0].status

    def sessions(self) -> int:
        (told,) = self.haproxy.driver.statistics(self.state)
        return told.pools[0].members[0].current_sessions

    def ask(self, times: int = 8) -> set[tuple[int, str]]:
        return {get(self.port) for _ in range(times)}

    def reloads(self) -> int:
        return self.haproxy.master.show_processes().master.reloads


@pytest.fixture
def pair(haproxy: DrivenHAProxy) -> Iterator[Pair]:
    with ExitStack() as stack:
        one, two = (stack.enter_context(WebServer(name)) for name in ("one", "two"))
        pair = Pair(haproxy, one, two, free_port(), free_port())
        pair.apply(Condition.ENABLED)
        wait_until(lambda: pair.ask() == {(200, "one"), (200, "two")}, what="both members")
        yield pair


@pytest.mark.parametrize("reload", [False, True], ids=["at runtime", "with a reload"])
def test_it_comes_back_once_its_check_has_passed(pair: Pair, reload: bool) -> None:
    pair.apply(Condition.DRAINING)
    assert (pair.reloads(), pair.status()) == (0, MemberStatus.DRAIN)
    assert pair.ask() == {(200, "two")}
    pair.one.answer_with(500)  # as one that was restarted, and is not ready yet
    pair.apply(Condition.ENABLED, reload=reload)
    # A process that was just started checks at once, and one failure is enough for it.
    assert pair.status() in (MemberStatus.DRAIN, *([MemberStatus.DOWN] if reload else []))
    seen = pair.one.requests
    wait_until(lambda: pair.one.requests >= seen + 3, what="three checks")
    assert pair.ask() == {(200, "two")}
    pair.one.answer_with(200)
    wait_until(lambda: pair.status() is MemberStatus.UP, what="a check that passes")
    assert pair.ask() == {(200, "one"), (200, "two")}
    assert pair.reloads() == int(reload)


def test_draining_survives_a_reload(pair: Pair) -> None:
    pair.apply(Condition.DRAINING)
    pair.apply(Condition.DRAINING, reload=True)
    assert pair.reloads() == 1
    assert pair.status() is MemberStatus.DRAIN
    assert pair.ask() == {(200, "two")}


def test_what_it_serves_it_ends_and_that_is_counted(pair: Pair) -> None:
    """Also in the old process after a reload."""
    with ExitStack() as stack:
        slow = stack.enter_context(SlowServer())
        pair.one = slow  # type: ignore[assignment]
        pair.apply(Condition.ENABLED)
        waiting = stack.enter_context(socket.create_connection((LOOPBACK, pair.port)))
        others = [
            stack.enter_context(socket.create_connection((LOOPBACK, pair.port))) for _ in range(3)
        ]
        for connection in (waiting, *others):
            connection.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: pair.sessions() == slow.held > 0, what="requests at it")
        pair.apply(Condition.DRAINING)
        assert pair.sessions() == slow.held
        pair.apply(Condition.DRAINING, reload=True)
        assert pair.sessions() == slow.held
        slow.let_go()
        wait_until(lambda: pair.sessions() == 0, what="the end of the sessions")


class SlowServer:
    """Answers checks at once, and /wait when it is let go."""

    def __init__(self) -> None:
        gate = self._gate = threading.Event()
        outer = self
        self.held = 0

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/wait":
                    outer.held += 1
                    gate.wait(20)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def let_go(self) -> None:
        self._gate.set()

    def __enter__(self) -> "SlowServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def test_one_that_is_alone_is_not_kept_waiting(pair: Pair) -> None:
    """Where nobody else serves, HAProxy's last word on it is better than none."""
    (owner,) = pair.desired(Condition.DRAINING).loadbalancers
    for condition in (Condition.DRAINING, Condition.ENABLED):
        (listener,) = pair.desired(condition).loadbalancers[0].listeners
        assert listener.pool is not None
        alone = replace(listener.pool, members=listener.pool.members[:1])
        listener = replace(listener, pool=alone)
        pair.state = Desired(loadbalancers=(replace(owner, listeners=(listener,)),))
        pair.haproxy.driver.apply(pair.state)
    wait_until(lambda: get(pair.port) == (200, "one"), timeout=1, what="the only member")
