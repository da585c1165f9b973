"""Counters that no reload, restart, crash or full disk sets back, with real HAProxys, old and new."""

import http.client
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from libra.errors import ProxyNotRunning
from libra.model.listener import Protocol
from libra.model.loadbalancer import Desired
from libra.model.statistics import OperatingStatus
from tests.support.counting import (
    Device,
    desire,
    device,
    echo,
    echoing,
    port_of,
    request,
    send_requests,
    served,
    settled,
    web,
    with_member,
)
from tests.support.haproxy import haproxy_binary, socket_directory
from tests.support.ports import LOOPBACK, wait_until
from tests.support.web import EchoServer, WebServer

__all__ = ["device", "echo", "haproxy_binary", "socket_directory", "web"]


@pytest.mark.parametrize("hold", [True, False])
def test_connections_that_outlive_a_reload_go_on_counting(
    device: Device, echo: EchoServer, hold: bool
) -> None:
    desired = desire(Protocol.TCP, echo.port)
    device.start(desired)
    with echoing(port_of(desired)) as say:
        with echoing(port_of(desired)) as say_briefly:
            say_briefly(b"x" * 1000)
            settled(device, desired, lambda lb: lb.current_sessions == 2)
            device.reload(desired, hold=hold)
            with echoing(port_of(desired)) as say_more:
                say_more(b"y" * 10)
                say_briefly(b"x" * 500)
                lb = settled(device, desired, lambda lb: lb.current_sessions == 3)
                assert (lb.total_sessions, lb.members[0].current_sessions) == (3, 3)
                assert len(device.old_pids()) == 1
        lb = settled(device, desired, lambda lb: lb.current_sessions == 1)
        assert (lb.bytes_in, lb.total_sessions) == (1510, 3)
        say(b"x" * 7)
    device.await_end_of_old()
    if hold:
        (lb,) = device.reader.read(desired)
        assert (lb.bytes_in, lb.bytes_out, lb.total_sessions) == (1517, 1532, 3)
        assert (lb.current_sessions, lb.members[0].bytes_in) == (0, 1517)


def test_the_last_words_of_an_old_process_are_heard(device: Device, echo: EchoServer) -> None:
    desired = desire(Protocol.TCP, echo.port)
    device.start(desired)
    with echoing(port_of(desired)) as say:
        device.reload(desired)
        say(b"x" * 4321)
    device.await_end_of_old()
    (lb,) = device.reader.read(desired)
    assert (lb.bytes_in, lb.total_sessions) == (4321, 1)


def test_a_process_without_clients_ends_at_once(device: Device, echo: EchoServer) -> None:
    desired = desire(Protocol.TCP, echo.port)
    device.start(desired)
    device.reload(desired)
    device.await_end_of_old()
    assert device.old_pids() == []
    wait_until(
        lambda: all(thread.name != "haproxy-anchors" for thread in threading.enumerate()),
        what="the end of the watching thread",
    )
    (lb,) = device.reader.read(desired)
    assert (lb.total_sessions, lb.current_sessions) == (0, 0)


def test_a_closed_reader_holds_nothing(device: Device, echo: EchoServer) -> None:
    desired = desire(Protocol.TCP, echo.port)
    device.start(desired)
    assert device.reader.hold() is None
    device.reader.hold()
    device.reader.close()
    device.reader.close()
    device.reload(desired, hold=False)
    device.await_end_of_old()
    assert device.old_pids() == []
    assert all(thread.name != "haproxy-anchors" for thread in threading.enumerate())


def test_twenty_reloads_under_load_lose_no_count(device: Device, web: WebServer) -> None:
    desired = desire(Protocol.HTTP, web.port, web.port)
    desired = with_member(desired, 1, weight=0)
    device.start(desired)
    stop = threading.Event()
    answered, failures = [0, 0, 0], []

    def load(number: int) -> None:
        connection = http.client.HTTPConnection(LOOPBACK, port_of(desired), timeout=10)
        while not stop.is_set():
            try:
                request(connection)
                answered[number] += 1
            except (OSError, http.client.HTTPException) as error:
                failures.append(error)
                connection.close()
        connection.close()

    threads = [threading.Thread(target=load, args=(n,)) for n in range(len(answered))]
    readings = []
    for thread in threads:
        thread.start()
    try:
        for number in range(20):
            device.reload(with_member(desired, 1, weight=number))
            readings.extend(device.reader.read(desired))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures
    readings.append(settled(device, desired, lambda lb: lb.current_sessions == 0))
    for name in ("bytes_in", "bytes_out", "total_sessions", "errors"):
        series = [getattr(lb, name) for lb in readings]
        assert series == sorted(series), name
    series = [served(lb) for lb in readings]
    assert series == sorted(series)
    device.await_end_of_old()
    (lb,) = device.reader.read(desired)
    assert sum(member.total_sessions for member in lb.members) == sum(answered)
    assert lb.bytes_in % sum(answered) == 0  # equal requests: no part of one is missing


def test_a_killed_haproxy_starts_where_it_was(device: Device, web: WebServer) -> None:
    desired = desire(Protocol.HTTP, web.port)
    device.start(desired)
    send_requests(port_of(desired), 5)
    before = settled(device, desired, lambda lb: served(lb) == 5 and lb.current_sessions == 0)
    device.kill_all()
    with pytest.raises(ProxyNotRunning, match=r"cannot reach HAProxy at .*: "):
        device.reader.read(desired)
    device.reader.snapshot()
    device.start(desired)
    (lb,) = device.reader.read(desired)
    assert replace(lb, members=()) == replace(before, members=())
    send_requests(port_of(desired), 2)
    lb = settled(device, desired, lambda lb: served(lb) == 7)
    assert lb.total_sessions == 2


def test_what_was_reported_outlives_the_death_of_all(device: Device, web: WebServer) -> None:
    desired = desire(Protocol.HTTP, web.port)
    device.start(desired)
    send_requests(port_of(desired), 5)
    before = settled(device, desired, lambda lb: served(lb) == 5 and lb.current_sessions == 0)
    device.kill_all()
    device.new_reader()
    device.start(desired)
    (lb,) = device.reader.read(desired)
    assert replace(lb, members=()) == replace(before, members=())


def test_a_new_worker_counts_nothing_twice(device: Device, echo: EchoServer) -> None:
    desired = desire(Protocol.TCP, echo.port)
    device.start(desired)
    with echoing(port_of(desired)) as say:
        with echoing(port_of(desired)) as say_briefly:
            say_briefly(b"x" * 100)
        settled(device, desired, lambda lb: lb.bytes_in == 100)
        device.reload(desired)
        device.reader.close()  # lets go of the old process, which lives on for its client
        device.new_reader()
        (lb,) = device.reader.read(desired)
        assert (lb.bytes_in, lb.total_sessions, lb.current_sessions) == (100, 2, 1)
        say(b"x" * 23)
        assert len(device.old_pids()) == 1


def test_after_a_delete_all_starts_afresh(device: Device, echo: EchoServer) -> None:
    desired = desire(Protocol.TCP, echo.port)
    device.start(desired)
    with echoing(port_of(desired)) as say_last:
        with echoing(port_of(desired)) as say:
            say(b"x" * 100)
            settled(device, desired, lambda lb: lb.total_sessions == 2)
            device.reload(Desired())
            device.reader.forget()
            assert device.reader.read(Desired()) == ()
            device.reload(desired)
        wait_until(lambda: device.clients_of_old() == [1], what="the end of one connection")
        with echoing(port_of(desired)) as say_more:
            say_more(b"y" * 5)
        lb = settled(device, desired, lambda lb: lb.current_sessions == 0)
        assert (lb.bytes_in, lb.bytes_out, lb.total_sessions) == (5, 10, 1)
        say_last(b"x" * 200)
    device.await_end_of_old()
    (lb,) = device.reader.read(desired)
    assert (lb.bytes_in, lb.bytes_out, lb.total_sessions) == (5, 10, 1)


def test_forgetting_needs_no_haproxy(device: Device, web: WebServer) -> None:
    desired = desire(Protocol.HTTP, web.port)
    device.start(desired)
    send_requests(port_of(desired), 1)
    settled(device, desired, lambda lb: lb.total_sessions == 1)
    device.kill_all()
    device.reader.forget()
    device.start(desired)
    assert device.reader.read(desired)[0].total_sessions == 0


def test_a_changed_load_balancer_counts_on_and_a_removed_member_starts_afresh(
    device: Device, web: WebServer
) -> None:
    desired = desire(Protocol.HTTP, web.port, web.port)
    desired = with_member(desired, 1, weight=0)
    device.start(desired)
    send_requests(port_of(desired), 4)
    settled(device, desired, lambda lb: served(lb) == 4)
    moved = desire(Protocol.HTTP, web.port)
    moved = with_member(moved, 0, id="new")
    device.reload(moved)
    send_requests(port_of(moved), 1)
    lb = settled(device, moved, lambda lb: served(lb) == 1)
    assert lb.total_sessions == 2
    device.reload(desired)
    (lb,) = device.reader.read(desired)
    assert (lb.total_sessions, served(lb)) == (2, 0)


def test_a_server_that_is_replaced_at_runtime_counts_on(device: Device, web: WebServer) -> None:
    desired = desire(Protocol.HTTP, web.port, web.port)
    desired = with_member(desired, 1, weight=0)
    device.start(desired)
    send_requests(port_of(desired), 4)
    settled(device, desired, lambda lb: served(lb) == 4)
    device.admin.ask("set server be-lb_201/0 state maint")
    wait_until(lambda: "deleted" in device.admin.ask_all(["del server be-lb_201/0"])[0].text)
    device.reader.snapshot()
    device.admin.ask(f"add server be-lb_201/0 {LOOPBACK}:{web.port}")
    device.admin.ask("enable server be-lb_201/0")
    send_requests(port_of(desired), 5)
    lb = settled(device, desired, lambda lb: served(lb) >= 9)
    assert served(lb) == 9


def test_numbers_stand_still_while_they_cannot_be_saved(device: Device, web: WebServer) -> None:
    desired = desire(Protocol.HTTP, web.port)
    device.start(desired)
    send_requests(port_of(desired), 1)
    settled(device, desired, lambda lb: served(lb) == 1)
    device.ledger.unlink()
    device.ledger.mkdir()
    send_requests(port_of(desired), 1)
    with capture_logs() as logs:
        (lb,) = device.reader.read(desired)
    assert [entry["event"] for entry in logs] == ["counters stand still"]
    assert (lb.status, served(lb)) == (OperatingStatus.ONLINE, 1)
    device.ledger.rmdir()
    settled(device, desired, lambda lb: served(lb) == 2)


def test_a_broken_file_is_no_reason_to_report_nothing(device: Device, web: WebServer) -> None:
    device.ledger.write_bytes(b"\x00" * 4096)
    desired = desire(Protocol.HTTP, web.port)
    device.start(desired)
    send_requests(port_of(desired), 1)
    lb = settled(device, desired, lambda lb: served(lb) == 1)
    assert lb.total_sessions == 1
    assert device.ledger.with_name("counters.json.unreadable").read_bytes() == b"\x00" * 4096


def test_nothing_is_written_where_nothing_was_counted(device: Device, web: WebServer) -> None:
    desired = desire(Protocol.HTTP, web.port)
    device.start(desired)
    send_requests(port_of(desired), 1)
    settled(device, desired, lambda lb: served(lb) == 1)
    settled(device, desired, lambda lb: lb.current_sessions == 0)
    before = device.ledger.stat()
    device.reader.read(desired)
    assert device.ledger.stat() == before


REPORT_FOR_EVER = """
import sys
from pathlib import Path
from libra.model.listener import Protocol
from tests.support.counting import Device, desire

device = Device(Path("unused"), Path(sys.argv[1]))
desired = desire(Protocol.HTTP, 1, listen=1)
last = None
while True:
    (lb,) = device.reader.read(desired)
    now = (lb.bytes_in, lb.bytes_out, lb.total_sessions, lb.members[0].total_sessions)
    if now != last:
        print(*now, flush=True)
    last = now
"""


def test_killed_in_the_middle_of_its_work_nothing_reported_is_taken_back(
    device: Device, web: WebServer
) -> None:
    desired = desire(Protocol.HTTP, web.port)
    for _ in range(3):
        device.start(desired)
        argv = [sys.executable, "-c", REPORT_FOR_EVER, str(device.directory)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as reporter:
            assert reporter.stdout is not None
            send_requests(port_of(desired), 5)
            while 0 in (reported := [int(word) for word in reporter.stdout.readline().split()]):
                pass
            for _ in range(10):
                send_requests(port_of(desired), 5)
            reporter.kill()
            device.kill_all()
            for line in reporter.stdout:
                reported = [int(word) for word in line.split()]
        device.start(desired)
        (lb,) = device.new_reader().read(desired)
        after = (lb.bytes_in, lb.bytes_out, lb.total_sessions, served(lb))
        assert all(new >= old for new, old in zip(after, reported, strict=True))
        device.kill_all()
