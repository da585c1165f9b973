"""Job servers that die, freeze, refuse, vanish or talk nonsense: the others are used, and all is well afterwards."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
from gear import constants

from libra.errors import JobDeadlinePassed, JobServerUnavailable
from libra.jobs.base import TakenJob
from libra.jobs.gearman import GearmanJobClient, GearmanJobSource, registration, session
from tests.support.gearmand import Gearmand, read_admin
from tests.support.jobservers import (
    await_registered,
    settings_for,
    submitting,
    working,
)
from tests.support.ports import LOOPBACK, free_port, wait_until
from tests.support.rawgearman import await_request, response
from tests.support.tcpfault import TcpFault, black_hole

LONG = 10.0


@pytest.fixture
def gearmand() -> Iterator[Gearmand]:
    with Gearmand() as server:
        yield server


@pytest.fixture
def other() -> Iterator[Gearmand]:
    with Gearmand() as server:
        yield server


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def open_source(closing: ExitStack, *ports: int, registered: int | None = None) -> GearmanJobSource:
    source = GearmanJobSource(settings_for(*ports), "w1")
    closing.callback(source.close)
    await_registered(source, len(ports) if registered is None else registered)
    return source


def open_client(closing: ExitStack, *ports: int, patience: float = 1.0) -> GearmanJobClient:
    client = GearmanJobClient(settings_for(*ports), patience_seconds=patience)
    closing.callback(client.close)
    return client


def job_of(source: GearmanJobSource) -> TakenJob:
    """The next job that `source` is given."""
    job = source.take(LONG)
    assert job is not None
    return job


def running(gearmand: Gearmand) -> int:
    return int(read_admin(gearmand.port, "status")[b"w1"][1])


def test_a_killed_server_fails_what_waits_and_is_used_again_when_back(
    gearmand: Gearmand, closing: ExitStack
) -> None:
    source = open_source(closing, gearmand.port)
    client = open_client(closing, gearmand.port)
    running = submitting(client, "w1", timeout=60)
    held = source.take(LONG)
    assert held is not None
    waiting = submitting(client, "nobody", timeout=60)
    gearmand.kill()
    for submission in (running, waiting):
        with pytest.raises(JobServerUnavailable, match=rf"^cannot .*{gearmand.port}"):
            submission.reply(LONG)
    wait_until(lambda: source.connected() == 0, what="the loss of the server")
    held.complete(b"nobody is there to read this")
    gearmand.start()
    with working(source):
        await_registered(source)
        assert client.submit("w1", b"after", timeout=LONG) == b"after"


def test_the_same_again_and_again(gearmand: Gearmand, closing: ExitStack) -> None:
    source = open_source(closing, gearmand.port)
    client = open_client(closing, gearmand.port)
    with working(source):
        for _ in range(5):
            assert client.submit("w1", b"x", timeout=LONG) == b"x"
            gearmand.kill()
            gearmand.start()
            # The idle connection is stale now, which the client finds out by itself.
            assert client.submit("w1", b"y", timeout=LONG) == b"y"


def test_a_refused_server_costs_nothing_but_is_named(
    gearmand: Gearmand, closing: ExitStack
) -> None:
    dead = free_port()
    client = open_client(closing, dead, gearmand.port)
    with working(open_source(closing, dead, gearmand.port, registered=1)):
        for number in range(20):
            assert client.submit("w1", b"%d" % number, timeout=LONG) == b"%d" % number
    gearmand.stop()
    with pytest.raises(JobServerUnavailable) as caught:
        client.submit("w1", b"", timeout=LONG)
    assert f"{LOOPBACK}:{dead}: connection refused" in str(caught.value)
    assert f"{LOOPBACK}:{gearmand.port}: connection refused" in str(caught.value)


@pytest.mark.parametrize("idle_connections", [True, False])
def test_a_frozen_server_costs_its_patience_once(
    gearmand: Gearmand, other: Gearmand, closing: ExitStack, *, idle_connections: bool
) -> None:
    client = open_client(closing, gearmand.port, other.port, patience=2.0)
    with working(open_source(closing, gearmand.port, other.port)):
        if idle_connections:
            for _ in range(4):
                client.submit("w1", b"", timeout=LONG)
        gearmand.freeze()
        for _ in range(2):  # either server comes first
            assert client.submit("w1", b"patient", timeout=LONG) == b"patient"
        for _ in range(
            20
        ):  # less time than patience: the frozen one must not be asked first any more
            assert client.submit("w1", b"quick", timeout=1.9) == b"quick"


def test_an_unreachable_server_costs_its_patience_once(
    gearmand: Gearmand, closing: ExitStack
) -> None:
    with black_hole() as port:
        client = open_client(closing, port, gearmand.port, patience=2.0)
        with working(open_source(closing, port, gearmand.port, registered=1)):
            for _ in range(2):
                assert client.submit("w1", b"patient", timeout=LONG) == b"patient"
            for _ in range(20):
                assert client.submit("w1", b"quick", timeout=1.9) == b"quick"


def test_deadlines_hold_whatever_hangs(gearmand: Gearmand, closing: ExitStack) -> None:
    client = open_client(closing, gearmand.port, patience=30.0)
    source = open_source(closing, gearmand.port)
    running = submitting(client, "w1", timeout=4.0)
    assert source.take(LONG) is not None
    gearmand.freeze()
    # A worker may have its job before the client has been told that it is queued.
    told = "the job server does not answer any more|no answer within 4 s"
    with pytest.raises((JobDeadlinePassed, JobServerUnavailable), match=told):
        running.reply(LONG)
    for payload in (b"small", b"x" * 20_000_000):  # the large one cannot even be sent
        with pytest.raises(JobServerUnavailable, match=r"^cannot submit a job to "):
            submitting(client, "w1", payload, timeout=0.5).reply(LONG)
    with black_hole() as port:
        lost = open_client(closing, port, patience=30.0)
        with pytest.raises(JobServerUnavailable, match="no answer in time"):
            submitting(lost, "w1", timeout=0.5).reply(LONG)


def test_a_worker_registers_anew_at_one_server_while_another_hangs(
    gearmand: Gearmand, other: Gearmand, closing: ExitStack
) -> None:
    with black_hole() as port:
        source = open_source(closing, port, gearmand.port, other.port, registered=2)
        gearmand.freeze()
        other.kill()
        wait_until(lambda: source.connected() == 1, what="the loss of one server")
        other.start()
        await_registered(source, 2)
        client = open_client(closing, other.port)
        with working(source):
            assert client.submit("w1", b"x", timeout=LONG) == b"x"


def test_a_thawed_server_goes_on(gearmand: Gearmand, closing: ExitStack) -> None:
    source = open_source(closing, gearmand.port)
    hasty = open_client(closing, gearmand.port, patience=0.3)
    gearmand.freeze()
    with pytest.raises(JobServerUnavailable):
        hasty.submit("w1", b"given up", timeout=LONG)
    client = open_client(closing, gearmand.port)
    gearmand.thaw()
    submission = submitting(client, "w1", b"wanted")
    # It reads the job first and then that its sender left, and in between it may give it away.
    given = [job_of(source)]
    if given[0].payload == b"given up":
        given[0].complete(b"nobody is there to read this")
        given.append(job_of(source))
    assert given[-1].payload == b"wanted"
    given[-1].complete(b"done")
    assert submission.reply(LONG) == b"done"


def test_a_connection_cut_within_a_large_job_harms_only_that(
    gearmand: Gearmand, closing: ExitStack
) -> None:
    with TcpFault(gearmand.port) as link:
        client = open_client(closing, link.port)
        link.cut_after = 1_000_000
        with pytest.raises(JobServerUnavailable):
            client.submit("w1", b"x" * 5_000_000, timeout=LONG)
        link.cut_after = None
        with working(open_source(closing, gearmand.port)):
            assert client.submit("w1", b"x", timeout=LONG) == b"x"


def test_a_reply_cut_off_is_given_by_the_next_connection(
    gearmand: Gearmand, closing: ExitStack
) -> None:
    with TcpFault(gearmand.port) as link:
        source = open_source(closing, link.port)
        submission = submitting(open_client(closing, gearmand.port), "w1", b"twice")
        first = source.take(LONG)
        assert first is not None
        link.reset()
        second = source.take(LONG)
        assert second is not None
        assert second.payload == b"twice"
        first.complete(b"from the lost connection")  # must not disturb the new one
        second.complete(b"done")
        assert submission.reply() == b"done"


def test_a_job_fetched_ahead_over_a_lost_connection_is_given_out_once(
    gearmand: Gearmand, closing: ExitStack
) -> None:
    with TcpFault(gearmand.port) as link:
        source = open_source(closing, link.port)
        submission = submitting(open_client(closing, gearmand.port), "w1", b"once")
        wait_until(lambda: running(gearmand) == 1, what="the job fetched ahead")
        link.refuse()
        link.reset()
        wait_until(lambda: source.connected() == 0, what="the loss of the server")
        link.accept()
        await_registered(source)
        job = source.take(LONG)
        assert job is not None
        job.complete(b"done")
        assert submission.reply() == b"done"
        assert source.take(0.1) is None


def test_an_answer_on_a_slow_link_arrives_though_the_source_closes_at_once(
    gearmand: Gearmand, closing: ExitStack
) -> None:
    with TcpFault(gearmand.port) as link:
        source = open_source(closing, link.port)
        client = open_client(closing, gearmand.port)
        submission = submitting(client, "w1")
        job = source.take(LONG)
        assert job is not None
        link.rate = 4_000_000.0
        job.complete(b"x" * 1_500_000)
        source.close()
        # Whatever comes in after the close would reset the connection, if the answer were still on its way.
        waiting = submitting(client, "w1")
        assert submission.reply() == b"x" * 1_500_000
        with working(open_source(closing, gearmand.port)):
            waiting.reply()


def test_large_jobs_stay_whole_on_a_link_that_takes_them_in_pieces(
    gearmand: Gearmand, closing: ExitStack
) -> None:
    payload = b"".join(b"%08d" % number for number in range(2_500_000))
    with TcpFault(gearmand.port) as to_client, TcpFault(gearmand.port) as to_worker:
        to_client.delay_seconds = to_worker.delay_seconds = 0.0001
        client = open_client(closing, to_client.port)
        with working(open_source(closing, to_worker.port)):
            assert client.submit("w1", payload, timeout=30.0) == payload


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 400 Bad request\r\n\r\n", "something that is not Gearman's"),
        (b"\0RES\0\0\0\x08\x7f\xff\xff\xff", "announces a packet"),
        (b"\0RES\0\0\0\x08\xff\xff\xff\xf4", "announces a packet"),
        (b"\0XYZ\0\0\0\x08\0\0\0\0", "where a packet should begin"),
        (b"x" * 10_000, "in one line"),
        (b"", "closed by the other side"),
    ],
)
def test_nonsense_is_refused(answer: bytes, text: str, closing: ExitStack) -> None:
    listener = closing.enter_context(socket.create_server((LOOPBACK, 0)))

    def answer_all() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with sock:
                sock.recv(100)
                sock.sendall(answer)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(1000):
                    pass

    threading.Thread(target=answer_all, daemon=True).start()
    closing.callback(listener.shutdown, socket.SHUT_RDWR)
    client = open_client(closing, listener.getsockname()[1])
    source = GearmanJobSource(settings_for(listener.getsockname()[1]), "w1")
    closing.callback(source.close)
    with pytest.raises(JobServerUnavailable, match=text):
        client.submit("w1", b"", timeout=LONG)
    assert source.connected() == 0
    assert source.take(0.05) is None


def test_a_server_that_freezes_counts_as_lost_until_it_answers(
    gearmand: Gearmand, closing: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "ASK_AGAIN_SECONDS", 0.2)
    source = open_source(closing, gearmand.port)
    gearmand.freeze()
    wait_until(lambda: source.connected() == 0, what="the loss of the server")
    gearmand.thaw()
    await_registered(source)
    with working(source):
        assert open_client(closing, gearmand.port).submit("w1", b"x", timeout=LONG) == b"x"


def test_an_outage_is_one_line_in_the_log(
    closing: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(registration, "log", recording(lines))
    tries: list[float] = []
    fail = registration.Backoff.fail
    monkeypatch.setattr(registration.Backoff, "fail", lambda self: tries.append(fail(self)) or 0.01)
    source = GearmanJobSource(settings_for(free_port()), "w1")
    closing.callback(source.close)
    wait_until(lambda: len(tries) > 5, what="several attempts")
    assert lines == ["warning cannot work for the job server: connection refused"]


def recording(lines: list[str]) -> SimpleNamespace:
    """A log that keeps its lines."""

    def keep(level: str) -> Callable[..., None]:
        return lambda event, **fields: lines.append(f"{level} {event}: {fields.get('error')}")

    return SimpleNamespace(info=keep("info"), warning=keep("warning"), exception=keep("error"))


def test_a_late_word_on_the_job_before_is_not_taken_for_the_next(closing: ExitStack) -> None:
    listener = closing.enter_context(socket.create_server((LOOPBACK, 0)))

    def answer_two() -> None:
        sock, _ = listener.accept()
        with sock:
            await_request(sock, constants.SUBMIT_JOB)
            sock.sendall(response(constants.JOB_CREATED, b"H:1"))
            sock.sendall(response(constants.WORK_COMPLETE, b"H:1", b"first"))
            await_request(sock, constants.SUBMIT_JOB)
            sock.sendall(response(constants.JOB_CREATED, b"H:2"))
            sock.sendall(response(constants.WORK_FAIL, b"H:1"))
            sock.sendall(response(constants.WORK_COMPLETE, b"H:1", b"late"))
            sock.sendall(response(constants.WORK_COMPLETE, b"H:2", b"second"))
            sock.recv(1)

    answering = threading.Thread(target=answer_two, daemon=True)
    answering.start()
    client = open_client(closing, listener.getsockname()[1])
    assert client.submit("w1", b"", timeout=LONG) == b"first"
    assert client.submit("w1", b"", timeout=LONG) == b"second"
    client.close()
    answering.join(LONG)


def test_closing_does_not_wait_for_servers_that_hang(
    gearmand: Gearmand, closing: ExitStack
) -> None:
    with black_hole() as port:
        source = open_source(closing, gearmand.port, port, registered=1)
        gearmand.freeze()
        closer = threading.Thread(target=source.close, daemon=True)
        closer.start()
        closer.join(LONG)
        assert not closer.is_alive()
