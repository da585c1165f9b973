"""Jobs of every size and length over a real gearmand, and other people's clients and workers beside ours."""

import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from gear import constants

from libra.errors import Invalid, JobDeadlinePassed, JobFailed
from libra.jobs.base import TakenJob
from libra.jobs.gearman import GearmanJobClient, GearmanJobSource
from libra.jobs.gearman.wire import Wire, WireError
from tests.support.gearmand import Gearmand, read_admin
from tests.support.jobservers import await_registered, settings_for, submitting, working
from tests.support.ports import LOOPBACK, wait_until
from tests.support.programs import find_program
from tests.support.rawgearman import dial, request, take_raw

LONG = 20.0


@pytest.fixture
def gearmand() -> Iterator[Gearmand]:
    with Gearmand() as server:
        yield server


@pytest.fixture
def client(gearmand: Gearmand) -> Iterator[GearmanJobClient]:
    client = GearmanJobClient(settings_for(gearmand.port))
    yield client
    client.close()


@pytest.fixture
def source(gearmand: Gearmand) -> Iterator[GearmanJobSource]:
    source = GearmanJobSource(settings_for(gearmand.port), "w1")
    await_registered(source)
    yield source
    source.close()


def test_short_jobs_pass_a_long_one_from_the_same_server(
    client: GearmanJobClient, source: GearmanJobSource
) -> None:
    long = submitting(client, "w1", b"long", timeout=60)
    held = source.take(LONG)
    assert held is not None
    with working(source):
        for number in range(100):
            assert client.submit("w1", b"%d" % number, timeout=LONG) == b"%d" % number
    held.complete(b"at last")
    assert long.reply() == b"at last"


def test_800_jobs_of_8_threads_all_get_their_own_reply(
    client: GearmanJobClient, source: GearmanJobSource
) -> None:
    right: list[bytes] = []

    def submit_all(thread: int) -> None:
        for number in range(100):
            payload = b"%d/%d" % (thread, number)
            if client.submit("w1", payload, timeout=LONG) == b"reply to " + payload:
                right.append(payload)

    def answer(job: TakenJob) -> None:
        job.complete(b"reply to " + job.payload)

    with working(source, answer):
        threads = [threading.Thread(target=submit_all, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert len(set(right)) == 800


@pytest.mark.parametrize("megabytes", [10, 50])
def test_large_jobs_stay_whole(
    client: GearmanJobClient, source: GearmanJobSource, megabytes: int
) -> None:
    payload = b"".join(b"%010d" % number for number in range(megabytes * 100_000))
    with working(source):
        assert client.submit("w1", payload, timeout=60) == payload


def test_more_than_a_packet_holds_is_refused_on_either_side(
    client: GearmanJobClient, source: GearmanJobSource
) -> None:
    too_much = bytes(64 * 1024 * 1024)
    with pytest.raises(Invalid, match="cannot send 67108864 bytes in one packet"):
        client.submit("w1", too_much, timeout=LONG)
    with working(source, lambda job: job.complete(too_much)), pytest.raises(JobFailed):
        client.submit("w1", b"", timeout=LONG)
    with working(source):
        assert client.submit("w1", b"good", timeout=LONG) == b"good"


def test_a_deadline_tells_whether_a_worker_has_begun(
    client: GearmanJobClient, source: GearmanJobSource
) -> None:
    waiting = submitting(client, "nobody", timeout=3.0)
    running = submitting(client, "w1", timeout=3.0)
    assert source.take(LONG) is not None
    with pytest.raises(JobDeadlinePassed, match="no worker had begun with it"):
        waiting.reply()
    with pytest.raises(JobDeadlinePassed, match="a worker had begun with it"):
        running.reply()


def test_giving_up_empties_the_queue(gearmand: Gearmand, client: GearmanJobClient) -> None:
    for _ in range(3):
        with pytest.raises(JobDeadlinePassed):
            client.submit("w2", b"", timeout=1.0)
    later = GearmanJobSource(settings_for(gearmand.port), "w2")
    late = later.take(0.2)  # a busy gearmand may not have read yet that the last client left
    if late is not None:
        late.fail()
        assert later.take(0.2) is None
    wait_until(lambda: read_admin(gearmand.port, "status")[b"w2"][1] == b"0")
    assert read_admin(gearmand.port, "status")[b"w2"][:2] == [b"0", b"0"]
    later.close()


def test_a_drained_worker_is_listed_no_more_once_it_has_answered(
    gearmand: Gearmand, client: GearmanJobClient, source: GearmanJobSource
) -> None:
    def workers() -> int:
        return int(read_admin(gearmand.port, "status")[b"w1"][2])

    submission = submitting(client, "w1")
    job = source.take(LONG)
    assert job is not None
    source.drain()
    # gearmand takes running jobs back from a worker that unregisters: it must wait for the answer.
    assert workers() == 1
    job.complete(b"answered")
    assert submission.reply() == b"answered"
    wait_until(lambda: workers() == 0, what="the end of the registration")


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads take turns after every few instructions, which brings out what they do to each other."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless_threads")
def test_many_drains_lose_no_answer(gearmand: Gearmand, client: GearmanJobClient) -> None:
    for number in range(50):
        source = GearmanJobSource(settings_for(gearmand.port), "w1")
        submissions = [submitting(client, "w1", b"%d" % each) for each in range(3)]
        jobs = [source.take(LONG) for _ in submissions]
        source.drain()
        for job in jobs:
            assert job is not None
            threading.Thread(target=job.complete, args=(b"%d" % number,)).start()
        assert [each.reply() for each in submissions] == [b"%d" % number] * 3
        source.close()


def test_the_gearman_program_gets_a_reply_from_our_source(
    gearmand: Gearmand, source: GearmanJobSource
) -> None:
    with working(source, lambda job: job.complete(job.payload.upper())):
        run = subprocess.run(
            [
                find_program("gearman", package="gearman-tools"),
                "-h",
                LOOPBACK,
                "-p",
                str(gearmand.port),
                "-f",
                "w1",
                "hello",
            ],
            capture_output=True,
            timeout=30,
            check=True,
        )
    assert run.stdout == b"HELLO"


def test_a_worker_that_reports_an_exception_fails_the_job(
    gearmand: Gearmand, client: GearmanJobClient
) -> None:
    for function in ("w3", "w4"):
        submission = submitting(client, function)
        with dial(gearmand.port) as worker:
            handle = take_raw(worker, function.encode())
            worker.sendall(request(constants.WORK_EXCEPTION, handle, b"out of \xffpaper"))
            with pytest.raises(JobFailed, match=r"the worker reports 'out of .*paper'"):
                submission.reply()


def test_a_reply_in_several_parts_is_put_together(
    gearmand: Gearmand, client: GearmanJobClient
) -> None:
    submission = submitting(client, "w3")
    with dial(gearmand.port) as worker:
        handle = take_raw(worker, b"w3")
        for part in (b"one ", b"two "):
            worker.sendall(request(constants.WORK_DATA, handle, part))
        worker.sendall(request(constants.WORK_STATUS, handle, b"2", b"3"))
        worker.sendall(request(constants.WORK_COMPLETE, handle, b"three"))
        assert submission.reply() == b"one two three"


def test_every_connection_is_tuned(gearmand: Gearmand) -> None:
    """Without TCP_NODELAY a job takes 44 ms; without the rest a cut link is noticed after a quarter of an hour."""
    wire = Wire(settings_for(gearmand.port)[0])
    wire.connect()
    assert wire.conn is not None
    options = {
        option: wire.conn.getsockopt(socket.IPPROTO_TCP, option)
        for option in (socket.TCP_NODELAY, socket.TCP_KEEPIDLE, socket.TCP_USER_TIMEOUT)
    }
    assert options == {
        socket.TCP_NODELAY: 1,
        socket.TCP_KEEPIDLE: 5,
        socket.TCP_USER_TIMEOUT: 11_000,
    }
    assert wire.conn.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    wire.close()


def test_a_connection_aborted_before_it_is_there_never_comes(gearmand: Gearmand) -> None:
    wire = Wire(settings_for(gearmand.port)[0])
    wire.abort()
    with pytest.raises(WireError, match="it was closed"):
        wire.connect()
    assert wire.fileno() == -1


def test_no_payload_reaches_a_log(
    gearmand: Gearmand, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger().setLevel(logging.DEBUG)
    with ExitStack() as closing:
        client = GearmanJobClient(settings_for(gearmand.port))
        closing.callback(client.close)
        source = GearmanJobSource(settings_for(gearmand.port), "w1")
        closing.callback(source.close)
        with working(source):
            client.submit("w1", b"the-secret-token", timeout=LONG)
    captured = capfd.readouterr()
    assert "the-secret-token" not in caplog.text + captured.out + captured.err
    assert [record for record in caplog.records if record.name.startswith("gear")] == []
