"""The thread, over a link that answers as it is told and a HAProxy that writes down what it is told."""

import errno
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from libra.drivers.haproxy.install import Installed
from libra.drivers.haproxy.pinging import pinger as pinger_module
from libra.drivers.haproxy.pinging.health import PingOutcome
from libra.drivers.haproxy.pinging.pinger import Pinger
from libra.drivers.haproxy.pinging.sockets import LocalFault, Reply
from libra.drivers.haproxy.runtime import AdminSocket, Answer
from libra.errors import DriverError, ProxyNotRunning
from libra.model.listener import Listener, Protocol
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.pool import HealthMonitor, Member, MonitorType, Pool
from tests.support.ports import wait_until

COLUMNS = "1\n# be_name srv_name srv_addr srv_op_state srv_admin_state\n"
QUICK = timedelta(milliseconds=30)


def desired(*addresses: str, attempts: int = 2) -> Desired:
    monitor = HealthMonitor(type=MonitorType.PING, delay=QUICK, timeout=QUICK, attempts=attempts)
    members = tuple(Member(id=item, address=item, port=80) for item in addresses)
    pool = Pool(id="p", members=members, monitor=monitor)
    listener = Listener(id="l", protocol=Protocol.HTTP, port=80, pool=pool)
    return Desired(loadbalancers=(LoadBalancer(id="l", listeners=(listener,)),))


class Told(AdminSocket):
    """Every server is up, whatever it is told."""

    def __init__(self, *servers: str) -> None:
        super().__init__(Path("/none"))
        self.servers = servers
        self.commands: list[str] = []
        self.away = False

    def ask(self, command: str) -> str:
        if self.away:
            raise ProxyNotRunning("cannot reach HAProxy at /none")
        return COLUMNS + "".join(f"be-p {name} {name} 2 0\n" for name in self.servers)

    def ask_all(self, commands: object) -> tuple[Answer, ...]:
        self.commands += commands  # type: ignore[operator]
        return ()


class Scripted:
    """A link on which an address answers, is silent, or fails to be sent to."""

    def __init__(self) -> None:
        self.reading, self.writing = socket.socketpair()
        self.faults: dict[str, OSError] = {}
        self.silent: set[str] = set()
        self.posing: dict[str, str] = {}
        self.replies: list[Reply] = []
        self.sent: list[str] = []
        self.hang = False

    def fileno(self) -> int:
        return self.reading.fileno()

    def send(self, address: str, number: int) -> None:
        self.sent.append(address)
        if address in self.faults:
            raise self.faults[address]
        if address not in self.silent:
            self.replies += [
                Reply(number, self.posing.get(address, address)),
                Reply(number + 1, address),
            ]
            self.writing.send(b"!")

    def receive(self) -> Iterator[Reply]:
        self.reading.setblocking(False)
        with suppress(BlockingIOError):
            self.reading.recv(4096)
        if self.hang and self.replies:
            time.sleep(0.5)
            self.replies, self.hang = [], False
        replies, self.replies = self.replies, []
        yield from replies

    def close(self) -> None:
        self.reading.close()
        self.writing.close()


@pytest.fixture
def link() -> Iterator[Scripted]:
    made = Scripted()
    yield made
    made.close()


def no_file() -> Installed:
    return Installed()


def watching(told: Told, link: Scripted) -> Pinger:
    pinger = Pinger(told, lambda version: link)
    state = desired(*told.servers)
    pinger.admit(state, no_file)
    pinger.watch(state)
    return pinger


def test_haproxy_is_told_who_does_not_answer(link: Scripted) -> None:
    told = Told("10.0.0.1", "10.0.0.2")
    link.silent.add("10.0.0.2")
    pinger = watching(told, link)
    wait_until(lambda: told.commands, what="a word")
    outcomes = pinger.outcomes()
    pinger.close()
    assert set(told.commands) == {"set server be-p/10.0.0.2 health down"}
    assert outcomes["be-p", "10.0.0.1"] is PingOutcome.ANSWERED
    assert outcomes["be-p", "10.0.0.2"] is PingOutcome.SILENT


def test_an_answer_from_elsewhere_is_none(link: Scripted) -> None:
    told = Told("10.0.0.1")
    link.posing["10.0.0.1"] = "10.0.0.66"
    pinger = watching(told, link)
    wait_until(lambda: told.commands, what="a word")
    pinger.close()
    assert set(told.commands) == {"set server be-p/10.0.0.1 health down"}


def test_what_cannot_be_sent_says_something_only_where_it_is_not_our_fault(link: Scripted) -> None:
    told = Told("10.0.0.1", "10.0.0.2")
    link.faults["10.0.0.1"] = LocalFault(errno.ENOBUFS, "No buffer space available")
    link.faults["10.0.0.2"] = OSError(errno.ENETUNREACH, "Network is unreachable")
    pinger = watching(told, link)
    wait_until(lambda: link.sent.count("10.0.0.1") > 4 and told.commands, what="pings")
    outcomes = pinger.outcomes()
    pinger.close()
    assert set(told.commands) == {"set server be-p/10.0.0.2 health down"}
    assert outcomes["be-p", "10.0.0.1"] is None
    assert outcomes["be-p", "10.0.0.2"] is PingOutcome.UNREACHABLE


def test_what_nobody_listened_to_does_not_count(
    link: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread is kept from listening once, and an answer is lost by that."""
    monkeypatch.setattr(pinger_module, "LATE", 0.2)
    told = Told("10.0.0.1")
    pinger = Pinger(told, lambda version: link)
    pinger.watch(desired("10.0.0.1", attempts=1))
    wait_until(lambda: link.sent, what="a ping")
    link.hang = True
    wait_until(lambda: not link.hang, what="a time when nobody listens")
    sent = len(link.sent)
    wait_until(lambda: len(link.sent) > sent + 3, what="more pings")
    pinger.close()
    assert told.commands == []


def test_it_pings_nobody_of_whom_haproxy_says_nothing(link: Scripted) -> None:
    told = Told("10.0.0.1")
    told.away = True
    pinger = watching(told, link)
    told.away = False
    pinger.watch(desired("10.0.0.1"))
    wait_until(lambda: link.sent, what="a ping")
    pinger.close()


def test_the_thread_ends_with_its_last_member(link: Scripted) -> None:
    told = Told("10.0.0.1")
    pinger = watching(told, link)
    pinger.watch(Desired())
    wait_until(
        lambda: not any(item.name == "pinger" for item in threading.enumerate()), what="its end"
    )
    pinger.watch(desired("10.0.0.1"))
    link.sent.clear()
    wait_until(lambda: link.sent, what="a ping")
    pinger.close()


def test_a_host_that_may_not_is_refused_unless_that_is_installed() -> None:
    def refuse(version: int) -> Scripted:
        raise PermissionError(errno.EACCES, "Permission denied")

    pinger = Pinger(Told(), refuse)
    marked = "backend be-p\n    mode http\n    #pinged: libra's worker pings its servers and sets their health\n"
    state = desired("10.0.0.1")
    for text in (
        None,
        "",
        marked.replace("be-p", "be-q"),
        "backend be-p\n\nbackend be-q\n" + marked[14:],
    ):
        with pytest.raises(
            DriverError, match=r"pool 'p' by PING: .*IPv4 \(Permission denied\); let"
        ):
            pinger.admit(state, lambda text=text: Installed(text))  # type: ignore[misc]
    pinger.admit(state, lambda: Installed(marked))
    pinger.watch(state)
    assert pinger.outcomes() == {}
    pinger.admit(Desired(), no_file)
    pinger.close()
