"""Waiting ends."""

from datetime import timedelta

from libra.drivers.haproxy.waiting import Deadline, wait_for


def test_the_first_answer_counts() -> None:
    answers = iter([None, None, 3, 4])
    assert wait_for(lambda: next(answers), Deadline(timedelta(seconds=60))) == 3


def test_it_asks_at_least_once() -> None:
    assert wait_for(lambda: "late", Deadline(timedelta(0))) == "late"
    assert wait_for(lambda: None, Deadline(timedelta(0))) is None


def test_nothing_is_left_at_the_end() -> None:
    assert Deadline(timedelta(0)).passed
    assert Deadline(timedelta(0)).left_seconds == 0.0
    assert not Deadline(timedelta(seconds=60)).passed
