"""What every job server, client and source must do, whichever it is."""

import threading
from collections.abc import Iterator

import pytest

from libra.errors import JobDeadlinePassed, JobFailed, JobServerUnavailable
from libra.jobs.base import JobSource, Priority, TakenJob
from tests.support.jobservers import JobLab, run_lab, submitting, working
from tests.support.ports import wait_until

LONG = 10.0
SHORT = 1.0
"""Long enough for a busy machine to accept a job."""
MOMENT = 0.2
"""For what should not come at all."""


@pytest.fixture(params=["memory", "embedded", "gearmand"])
def lab(request: pytest.FixtureRequest) -> Iterator[JobLab]:
    with run_lab(request.param) as lab:
        yield lab


def take(source: JobSource) -> TakenJob:
    job = source.take(LONG)
    assert job is not None
    return job


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b"a\0b\n\xff\0", b"\0" * 100_000, b"x" * 3_000_000]
)
def test_reply_and_payload_are_carried_byte_for_byte(lab: JobLab, payload: bytes) -> None:
    source = lab.source("w1")
    with working(source, lambda job: job.complete(job.payload[::-1])):
        assert lab.client().submit("w1", payload, timeout=LONG) == payload[::-1]


def test_a_failed_job_raises(lab: JobLab) -> None:
    client = lab.client()
    with working(lab.source("w1"), lambda job: job.fail()):
        with pytest.raises(JobFailed, match="cannot get a reply to a job for 'w1'"):
            client.submit("w1", b"", timeout=LONG)
        with pytest.raises(JobFailed):
            client.submit("w1", b"", timeout=LONG)


def test_a_job_goes_to_its_function_only(lab: JobLab) -> None:
    first, second = lab.source("w1"), lab.source("w2")
    submission = submitting(lab.client(), "w2", b"for w2")
    job = take(second)
    assert job.payload == b"for w2"
    assert first.take(MOMENT) is None
    job.complete(b"")
    assert submission.reply() == b""


def test_a_job_that_nobody_takes_passes_its_deadline(lab: JobLab) -> None:
    with pytest.raises(JobDeadlinePassed, match=r"cannot get a reply to a job for 'w1' within 1 s"):
        lab.client().submit("w1", b"", timeout=SHORT)


def test_a_job_given_up_does_not_run_later(lab: JobLab) -> None:
    client = lab.client()
    with pytest.raises(JobDeadlinePassed):
        client.submit("w1", b"given up", timeout=SHORT)
    source = lab.source("w1")
    submission = submitting(client, "w1", b"wanted")
    job = take(source)
    assert job.payload == b"wanted"
    job.complete(b"")
    submission.reply()


def test_a_job_given_up_while_it_runs_is_left_alone(lab: JobLab) -> None:
    client, source = lab.client(), lab.source("w1")
    submission = submitting(client, "w1", b"slow", timeout=SHORT)
    slow = take(source)
    with pytest.raises(JobDeadlinePassed):
        submission.reply()
    slow.complete(b"too late")
    after = submitting(client, "w1", b"next")
    job = take(source)
    assert job.payload == b"next"
    job.complete(b"in time")
    assert after.reply() == b"in time"


def test_several_jobs_are_held_at_once_and_answered_in_any_order(lab: JobLab) -> None:
    client, source = lab.client(), lab.source("w1")
    submissions = [submitting(client, "w1", b"%d" % number) for number in range(5)]
    jobs = [take(source) for _ in submissions]
    for job in reversed(jobs):
        job.complete(b"reply to " + job.payload)
    assert [each.reply() for each in submissions] == [b"reply to %d" % n for n in range(5)]
    assert len({job.handle for job in jobs}) == 5


def test_waiting_jobs_come_by_priority_then_in_order(lab: JobLab) -> None:
    client = lab.client()
    waiting = []
    for payload, priority in [
        (b"low", Priority.LOW),
        (b"first", Priority.NORMAL),
        (b"second", Priority.NORMAL),
        (b"high", Priority.HIGH),
    ]:
        waiting.append(submitting(client, "w1", payload, priority=priority))
        wait_until(lambda: lab.waiting("w1") == len(waiting), what="the job in its queue")
    source = lab.source("w1")
    order = []
    for _ in waiting:
        job = take(source)
        order.append(job.payload)
        job.complete(b"")
    assert order == [b"high", b"first", b"second", b"low"]
    for each in waiting:
        each.reply()


def test_take_gives_up_after_its_time(lab: JobLab) -> None:
    assert lab.source("w1").take(0.01) is None


def test_the_first_answer_counts(lab: JobLab) -> None:
    submission = submitting(lab.client(), "w1")
    source = lab.source("w1")
    job = take(source)
    job.complete(b"first")
    job.complete(b"second")
    job.fail()
    assert submission.reply() == b"first"


def test_many_threads_each_get_their_own_reply(lab: JobLab) -> None:
    client, source = lab.client(), lab.source("w1")
    wrong: list[object] = []

    def submit_all(thread: int) -> None:
        for number in range(50):
            payload = b"%d/%d" % (thread, number)
            reply = client.submit("w1", payload, timeout=LONG)
            if reply != b"reply to " + payload:
                wrong.append((payload, reply))

    with working(source, lambda job: job.complete(b"reply to " + job.payload)):
        threads = [threading.Thread(target=submit_all, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
    assert wrong == []


def test_a_drained_source_takes_nothing_but_answers_what_it_holds(lab: JobLab) -> None:
    client, source = lab.client(), lab.source("w1")
    held = submitting(client, "w1", b"held")
    job = take(source)
    source.drain()
    waiting = submitting(client, "w1", b"waiting")
    assert source.take(MOMENT) is None
    job.complete(b"answered")
    assert held.reply() == b"answered"
    other = lab.source("w1")
    with working(other):
        assert waiting.reply() == b"waiting"
    source.close()


def test_jobs_fetched_ahead_are_not_lost_when_the_source_drains_and_closes(lab: JobLab) -> None:
    client, source = lab.client(), lab.source("w1")
    submissions = [submitting(client, "w1", b"%d" % number) for number in range(8)]
    job = take(source)
    source.drain()
    assert source.take(MOMENT) is None
    job.complete(job.payload)
    source.close()
    with working(lab.source("w1")):
        assert [each.reply() for each in submissions] == [b"%d" % number for number in range(8)]


def test_jobs_fetched_ahead_go_to_another_once_a_drained_source_has_answered(lab: JobLab) -> None:
    """It need not be closed first, and nobody takes them for jobs that end their workers."""
    client = lab.client()
    submissions = [submitting(client, "w1", b"%d" % number) for number in range(8)]
    drained = []
    for _ in submissions:
        source = lab.source("w1")
        job = take(source)
        source.drain()
        job.complete(job.payload)
        drained.append(source)
    assert [each.reply() for each in submissions] == [b"%d" % number for number in range(8)]
    for source in drained:
        source.close()


def test_a_source_fetches_only_some_jobs_ahead(lab: JobLab) -> None:
    client = lab.client()
    idle = lab.source("w1")
    submissions = [submitting(client, "w1", b"%d" % number) for number in range(6)]
    with working(lab.source("w1")):
        # Two at most are kept by the idle source; the rest goes to the other one.
        wait_until(lambda: sum(each.ended for each in submissions) >= 4, what="four replies")
        idle.close()
        assert sorted(each.reply() for each in submissions) == [b"%d" % n for n in range(6)]


def test_a_held_job_goes_to_another_when_its_source_closes(lab: JobLab) -> None:
    client, source = lab.client(), lab.source("w1")
    submission = submitting(client, "w1", b"twice")
    job = take(source)
    source.close()
    job.complete(b"from the dead")
    again = take(lab.source("w1"))
    assert again.payload == b"twice"
    job.fail()
    again.complete(b"done")
    assert submission.reply() == b"done"


def test_a_stopped_server_is_reported(lab: JobLab) -> None:
    client, source = lab.client(), lab.source("w1")
    with working(source):
        assert client.submit("w1", b"1", timeout=LONG) == b"1"
    waiting = submitting(client, "nobody")
    lab.stop()
    with pytest.raises(JobServerUnavailable, match=r"^cannot "):
        waiting.reply()
    with pytest.raises(JobServerUnavailable, match=r"^cannot submit a job"):
        client.submit("w1", b"2", timeout=LONG)


def test_everything_goes_on_when_the_server_is_back(lab: JobLab) -> None:
    client, source = lab.client(), lab.source("w1")
    with working(source):
        assert client.submit("w1", b"1", timeout=LONG) == b"1"
        lab.stop()
        with pytest.raises(JobServerUnavailable):
            client.submit("w1", b"2", timeout=LONG)
        lab.start()
        assert client.submit("w1", b"3", timeout=LONG) == b"3"


def test_closed_means_closed_and_twice_is_harmless(lab: JobLab) -> None:
    client, source = lab.client(), lab.source("w1")
    waiting = submitting(client, "nobody")
    assert source.connected() == 1
    for _ in range(2):
        source.drain()
        source.close()
        client.close()
    assert source.connected() == 0
    assert source.take(LONG) is None
    with pytest.raises(JobServerUnavailable):
        waiting.reply()
    with pytest.raises(JobServerUnavailable, match="cannot submit a job: the client is closed"):
        client.submit("w1", b"", timeout=LONG)


def test_closing_right_after_an_answer_loses_nothing(lab: JobLab) -> None:
    submission = submitting(lab.client(), "w1", b"x" * 5_000_000)
    source = lab.source("w1")
    job = take(source)
    job.complete(job.payload)
    source.close()
    assert submission.reply() == b"x" * 5_000_000
