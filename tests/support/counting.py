"""A HAProxy whose statistics are read, its traffic, and what it shall run."""

import http.client
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.config import Options
from libra.drivers.haproxy.master import MasterSocket
from libra.drivers.haproxy.render import render
from libra.drivers.haproxy.runtime import AdminSocket
from libra.drivers.haproxy.sightings import parse_info
from libra.drivers.haproxy.statistics import StatisticsReader
from libra.errors import ProxyNotRunning
from libra.model.listener import Listener, Protocol
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.pool import Member, Pool
from libra.model.statistics import LoadBalancerStatistics
from tests.support.haproxy import is_running, kill, stop_master
from tests.support.ports import LOOPBACK, free_port, wait_until
from tests.support.web import EchoServer, WebServer

RELOAD = timedelta(seconds=20)
GREETING = b"echo\n"  # what the echo server says first


class Device:
    """One HAProxy that runs what is desired, and its statistics."""

    def __init__(self, binary: Path, directory: Path) -> None:
        self.directory = directory
        self.admin = AdminSocket(directory / "a")
        self.master = MasterSocket(directory / "m")
        self.ledger = directory / "counters.json"
        self.reader = self.new_reader()
        self._binary = binary
        self._config_file = directory / "haproxy.cfg"
        self._stack = ExitStack()

    def new_reader(self) -> StatisticsReader:
        """As after a crash of the worker: nothing but the file is left of the last one."""
        self.reader = StatisticsReader(self.admin, self.master, self.ledger)
        return self.reader

    def write(self, desired: Desired) -> None:
        options = Options(
            admin_socket=str(self.directory / "a"),
            log_target="127.0.0.1:1",
            version=(2, 6),
            hard_stop_after=timedelta(seconds=30),
        )
        self._config_file.write_text(render(build(desired, options)))

    def start(self, desired: Desired) -> None:
        self.write(desired)
        argv = [str(self._binary), "-W", "-S", f"{self.directory}/m,mode,600", "-f"]
        process = subprocess.Popen(
            [*argv, str(self._config_file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._stack.callback(process.wait, timeout=10)
        self._stack.callback(process.terminate)
        wait_until(self.answers, what="HAProxy's admin socket")

    def reload(self, desired: Desired, *, hold: bool = True) -> None:
        before = self.pid()
        self.write(desired)
        if hold:
            self.reader.hold()
        self.master.show_processes()  # the master is done with the reload before
        self.master.reload(RELOAD)
        wait_until(lambda: self.answers() and self.pid() != before, what="the new process")

    def kill_all(self) -> None:
        """As `kill -9` of all of HAProxy, or a power cut."""
        processes = self.master.show_processes()
        workers = (*processes.workers, *processes.old_workers)
        pids = [processes.master.pid, *(worker.pid for worker in workers)]
        for pid in pids:
            kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(map(is_running, pids)), what=f"the end of {pids}")

    def answers(self) -> bool:
        try:
            return bool(self.admin.ask("show info"))
        except ProxyNotRunning:
            return False

    def pid(self) -> int:
        return parse_info(self.admin.ask("show info"))["Pid"]

    def old_pids(self) -> list[int]:
        return [worker.pid for worker in self.master.show_processes().old_workers]

    def clients_of_old(self) -> list[int]:
        """How many connections each old process has."""
        counts = []
        for pid in self.old_pids():
            with suppress(ProxyNotRunning):  # it has just ended
                counts.append(parse_info(self.master.ask_worker(pid, "show info"))["CurrConns"])
        return counts

    def await_end_of_old(self, *, timeout: float = 10.0) -> None:
        """Until no old process is left. To ask them nudges HAProxy 2.6, which now and then sleeps over its end."""
        wait_until(
            lambda: not self.clients_of_old() and not self.old_pids(),
            timeout=timeout,
            what="the end of the old processes",
        )

    def close(self) -> None:
        self.reader.close()
        stop_master(self.directory / "m")
        self._stack.close()


@pytest.fixture
def device(haproxy_binary: Path, socket_directory: Path) -> Iterator[Device]:
    device = Device(haproxy_binary, socket_directory)
    yield device
    device.close()


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer("web") as server:
        yield server


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    with EchoServer("echo") as server:
        yield server


def desire(protocol: Protocol, *ports: int, listen: int = 0, **pool: object) -> Desired:
    """One load balancer "lb 1" with members "0", "1", ... whose names are numbers."""
    members = tuple(Member(id=str(n), address=LOOPBACK, port=port) for n, port in enumerate(ports))
    listener = Listener(
        id="lb 1",
        protocol=protocol,
        port=listen or free_port(),
        bind_address=LOOPBACK,
        pool=Pool(id="lb 1", members=members, **pool),  # type: ignore[arg-type]
    )
    return Desired(loadbalancers=(LoadBalancer(id="lb 1", name="A", listeners=(listener,)),))


def port_of(desired: Desired) -> int:
    return desired.loadbalancers[0].listeners[0].port


def with_member(desired: Desired, number: int, **changes: object) -> Desired:
    (loadbalancer,) = desired.loadbalancers
    (listener,) = loadbalancer.listeners
    members = list(listener.pool.members)
    members[number] = replace(members[number], **changes)  # type: ignore[arg-type]
    listener = replace(listener, pool=replace(listener.pool, members=tuple(members)))
    return replace(desired, loadbalancers=(replace(loadbalancer, listeners=(listener,)),))


def served(lb: LoadBalancerStatistics) -> int:
    """Sessions of the first member: requests that it got."""
    return lb.members[0].total_sessions


def request(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/")
    response = connection.getresponse()
    response.read()
    assert response.status == 200


def send_requests(port: int, count: int) -> None:
    """On one connection."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
    for _ in range(count):
        request(connection)
    connection.close()


@contextmanager
def echoing(port: int) -> Iterator[Callable[[bytes], None]]:
    """A connection on which one may say something and hear it back."""
    with socket.create_connection((LOOPBACK, port), timeout=10) as connection:

        def hear(data: bytes) -> None:
            heard = b""
            while len(heard) < len(data):
                block = connection.recv(65536)
                assert block
                heard += block
            assert heard == data

        def say(data: bytes) -> None:
            connection.sendall(data)
            hear(data)

        hear(GREETING)
        yield say


def settled(
    device: Device,
    desired: Desired,
    is_so: Callable[[LoadBalancerStatistics], bool],
    *,
    timeout: float = 10.0,
) -> LoadBalancerStatistics:
    """The first reading that fulfils the condition: HAProxy counts a request when it is over, after the client."""
    readings: list[LoadBalancerStatistics] = []

    def look() -> bool:
        readings.extend(device.reader.read(desired))
        return is_so(readings[-1])

    try:
        wait_until(look, timeout=timeout, what="the numbers")
    except AssertionError:
        raise AssertionError(f"the last reading is {readings[-1]}") from None
    return readings[-1]
