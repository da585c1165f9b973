"""Deadlines on a clock that the test turns."""

from libra.jobs.gearman.deadline import Deadline


def test_time_runs_out_and_stays_out() -> None:
    now = 100.0
    deadline = Deadline(5.0, lambda: now)
    assert (deadline.left(), deadline.passed()) == (5.0, False)
    now = 104.0
    assert (deadline.left(), deadline.passed()) == (1.0, False)
    now = 106.0
    assert (deadline.left(), deadline.passed()) == (0.0, True)


def test_a_deadline_within_another_is_the_nearer_one() -> None:
    now = 0.0
    deadline = Deadline(5.0, lambda: now)
    assert deadline.within(2.0).left() == 2.0
    now = 4.0
    assert deadline.within(2.0).left() == 1.0
    now = 6.0
    assert deadline.within(2.0).passed()
