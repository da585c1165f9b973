"""Statistics of real HAProxys, old and new: counted exactly, in all the states that members have."""

import http.client
import socket
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from libra.drivers.haproxy.master import MasterSocket
from libra.drivers.haproxy.statistics import StatisticsReader
from libra.model.listener import Protocol
from libra.model.loadbalancer import Desired
from libra.model.pool import Condition, HealthMonitor, MonitorType
from libra.model.statistics import MemberStatus, OperatingStatus
from tests.support.counting import (
    Device,
    desire,
    device,
    echo,
    echoing,
    port_of,
    send_requests,
    served,
    settled,
    web,
    with_member,
)
from tests.support.haproxy import haproxy_binary, socket_directory
from tests.support.ports import LOOPBACK, free_port
from tests.support.web import EchoServer, WebServer

__all__ = ["device", "echo", "haproxy_binary", "socket_directory", "web"]


def test_requests_are_counted_one_by_one(device: Device) -> None:
    with WebServer("one") as one, WebServer("two") as two:
        desired = desire(Protocol.HTTP, one.port, two.port)
        device.start(desired)
        send_requests(port_of(desired), 1)
        # HAProxy counts an answer's head before its body: only what has ended is counted whole.
        first = settled(device, desired, lambda lb: lb.bytes_out > 0 and not lb.current_sessions)
        for _ in range(3):
            send_requests(port_of(desired), 13)
    lb = settled(device, desired, lambda lb: lb.bytes_in == 40 * first.bytes_in)
    assert lb.status is OperatingStatus.ONLINE
    assert (lb.id, lb.name, lb.protocol) == ("lb 1", "A", "HTTP")
    assert (lb.total_sessions, lb.errors) == (4, 0)
    assert lb.bytes_out == 40 * first.bytes_out
    assert [member.total_sessions for member in lb.members] == [20, 20]
    assert sum(member.bytes_in for member in lb.members) == lb.bytes_in
    assert sum(member.bytes_out for member in lb.members) == lb.bytes_out
    assert (one.requests, two.requests) == (20, 20)
    assert [(member.id, member.address, member.port) for member in lb.members] == [
        ("0", LOOPBACK, one.port),
        ("1", LOOPBACK, two.port),
    ]


def test_bytes_of_tcp_are_exact_and_sessions_are_seen_while_they_last(
    device: Device, echo: EchoServer
) -> None:
    desired = desire(Protocol.TCP, echo.port)
    device.start(desired)
    with echoing(port_of(desired)) as say, echoing(port_of(desired)):
        say(b"x" * 12345)
        lb = settled(device, desired, lambda lb: lb.current_sessions == 2)
        assert (lb.total_sessions, lb.members[0].current_sessions) == (2, 2)
    lb = settled(device, desired, lambda lb: lb.current_sessions == 0)
    (member,) = lb.members
    assert (lb.bytes_in, lb.bytes_out) == (member.bytes_in, member.bytes_out) == (12345, 12355)
    assert (lb.total_sessions, member.total_sessions, lb.errors) == (2, 2, 0)


def test_bytes_are_seen_before_a_long_connection_ends(device: Device, echo: EchoServer) -> None:
    desired = desire(Protocol.TCP, echo.port)
    device.start(desired)
    with echoing(port_of(desired)) as say:
        say(b"x" * 1000)
        lb = settled(device, desired, lambda lb: lb.bytes_out > 0, timeout=20)
        assert (lb.bytes_in, lb.bytes_out, lb.current_sessions) == (1000, 1005, 1)


def test_errors_are_counted(device: Device) -> None:
    desired = desire(Protocol.HTTP, free_port())
    (loadbalancer,) = desired.loadbalancers
    listener = replace(loadbalancer.listeners[0], connect_retries=0)
    desired = Desired(loadbalancers=(replace(loadbalancer, listeners=(listener,)),))
    device.start(desired)
    for _ in range(3):
        connection = http.client.HTTPConnection(LOOPBACK, port_of(desired), timeout=20)
        connection.request("GET", "/")
        assert connection.getresponse().status == 503
        connection.close()
    with socket.create_connection((LOOPBACK, port_of(desired)), timeout=10) as client:
        client.sendall(b"this is not HTTP\r\n\r\n")
        assert b"400 Bad" in client.recv(1000)
    lb = settled(device, desired, lambda lb: lb.errors == 4)
    assert lb.members[0].errors == 3


def test_what_members_do_is_seen(device: Device) -> None:
    monitor = HealthMonitor(
        type=MonitorType.HTTP,
        delay=timedelta(milliseconds=50),
        timeout=timedelta(seconds=2),
        attempts=1,
        path="/health",
    )
    with WebServer("good") as good, WebServer("bad") as bad:
        bad.answer_with(500)
        ports = [free_port(), bad.port, good.port, good.port, good.port]
        desired = desire(Protocol.HTTP, *ports, monitor=monitor)
        desired = with_member(desired, 3, condition=Condition.DRAINING)
        desired = with_member(desired, 4, condition=Condition.DISABLED)
        device.start(desired)
        seen = [
            ("DOWN", "L4CON"),
            ("DOWN", "L7STS/500"),
            ("UP", "L7OK/200"),
            ("DRAIN", "L7OK/200"),
        ]
        lb = settled(
            device,
            desired,
            lambda lb: [(item.status.value, item.last_check) for item in lb.members[:4]] == seen,
        )
        assert lb.members[4].status is MemberStatus.MAINT
        assert lb.status is OperatingStatus.DEGRADED
        device.admin.ask("set server be-lb_201/2 state maint")
        lb = settled(device, desired, lambda lb: lb.status is OperatingStatus.ERROR)
        assert lb.members[2].status is MemberStatus.MAINT
        device.admin.ask("set server be-lb_201/2 state drain")
        settled(device, desired, lambda lb: lb.members[2].status is MemberStatus.DRAIN)
        device.admin.ask("set server be-lb_201/2 state ready")
        bad.answer_with(204)
        one_out = with_member(desired, 0, condition=Condition.DISABLED)
        settled(device, one_out, lambda lb: lb.status is OperatingStatus.ONLINE)


def test_without_checks_nothing_is_known_of_members(device: Device, web: WebServer) -> None:
    desired = desire(Protocol.HTTP, web.port, web.port, web.port)
    desired = with_member(desired, 1, weight=0)
    desired = with_member(desired, 2, condition=Condition.DISABLED)
    device.start(desired)
    (lb,) = device.reader.read(desired)
    assert [(m.status.value, m.last_check) for m in lb.members] == [
        ("no check", None),
        ("DRAIN", None),
        ("MAINT", None),
    ]
    assert lb.status is OperatingStatus.ONLINE


def test_a_suspended_load_balancer_keeps_its_numbers(device: Device, web: WebServer) -> None:
    desired = desire(Protocol.HTTP, web.port)
    device.start(desired)
    send_requests(port_of(desired), 3)
    suspended = replace(desired, suspended=True)
    device.reload(suspended)
    lb = settled(device, suspended, lambda lb: served(lb) == 3)
    assert (lb.status, lb.total_sessions) == (OperatingStatus.SUSPENDED, 1)
    assert device.reader.read(desired)[0].status is OperatingStatus.ERROR  # it should serve
    device.reload(desired)
    send_requests(port_of(desired), 2)
    lb = settled(device, desired, lambda lb: served(lb) == 5)
    assert (lb.status, lb.total_sessions) == (OperatingStatus.ONLINE, 2)


def test_without_a_master_the_serving_process_is_still_reported(
    device: Device, web: WebServer, tmp_path: Path
) -> None:
    desired = desire(Protocol.HTTP, web.port)
    device.start(desired)
    send_requests(port_of(desired), 1)
    device.reader = StatisticsReader(device.admin, MasterSocket(tmp_path / "none"), device.ledger)
    lb = settled(device, desired, lambda lb: served(lb) == 1)
    assert (lb.status, lb.total_sessions, lb.errors) == (OperatingStatus.ONLINE, 1, 0)


def test_many_readers_at_once_agree(device: Device, web: WebServer) -> None:
    desired = desire(Protocol.HTTP, web.port)
    device.start(desired)
    send_requests(port_of(desired), 10)
    settled(device, desired, lambda lb: served(lb) == 10)
    seen: list[int] = []

    def read() -> None:
        for _ in range(10):
            seen.extend(served(lb) for lb in device.reader.read(desired))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [10] * 40
