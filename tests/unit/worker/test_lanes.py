"""Order, bounds and ends of a lane."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from libra.worker.lanes import Lane, LaneSize, Task

WAIT = 10.0


class Gate:
    """A task that runs until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self) -> None:
        self.entered.set()
        assert self.opened.wait(WAIT)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


def flush(lane: Lane) -> None:
    """Return once everything that was put before has run, on a lane of one thread."""
    done = threading.Event()
    assert lane.put(Task(done.set), WAIT)
    assert done.wait(WAIT)


def test_one_thread_runs_in_order() -> None:
    lane = Lane("test", LaneSize(threads=1))
    ran: list[int] = []
    for number in range(500):
        assert lane.put(Task(lambda number=number: ran.append(number)), WAIT)  # type: ignore[misc]
    flush(lane)
    assert ran == list(range(500))
    lane.finish()


def test_a_task_that_raises_ends_nothing() -> None:
    lane = Lane("test", LaneSize(threads=1))
    assert lane.put(Task(lambda: [].pop()), WAIT)
    flush(lane)
    lane.finish()


def test_a_full_lane_refuses_until_there_is_room(gate: Gate) -> None:
    lane = Lane("test", LaneSize(threads=1, most_tasks=2))
    assert lane.put(Task(gate))
    assert gate.entered.wait(WAIT)
    assert lane.put(Task(lambda: None))
    assert lane.put(Task(lambda: None))
    assert not lane.put(Task(lambda: None))
    gate.opened.set()
    assert lane.put(Task(lambda: None), WAIT)
    lane.finish()


def test_bytes_are_bounded_but_a_heavy_task_alone_fits(gate: Gate) -> None:
    lane = Lane("test", LaneSize(threads=1, most_bytes=100))
    assert lane.put(Task(gate))
    assert gate.entered.wait(WAIT)
    assert lane.put(Task(lambda: None, weight=1000))
    assert not lane.put(Task(lambda: None, weight=1))
    gate.opened.set()
    assert lane.put(Task(lambda: None, weight=60), WAIT)
    flush(lane)
    assert lane.put(Task(lambda: None, weight=100), WAIT)  # the sum went back to nothing
    lane.finish()


def test_finish_runs_what_waits_and_takes_nothing_more(gate: Gate) -> None:
    lane = Lane("test", LaneSize(threads=1))
    ran = threading.Event()
    assert lane.put(Task(gate))
    assert lane.put(Task(ran.set))
    lane.finish()
    assert not lane.put(Task(lambda: None), WAIT)
    gate.opened.set()
    assert ran.wait(WAIT)


def test_abandon_drops_what_waits(gate: Gate) -> None:
    lane = Lane("test", LaneSize(threads=1))
    ran: list[int] = []
    assert lane.put(Task(gate))
    assert gate.entered.wait(WAIT)
    for number in range(3):
        assert lane.put(Task(lambda number=number: ran.append(number)))  # type: ignore[misc]
    assert (lane.waiting, lane.running) == (3, 1)
    assert lane.abandon() == 3
    gate.opened.set()
    flush(lane)
    assert ran == []
    lane.finish()


def test_how_long_the_oldest_task_runs(gate: Gate) -> None:
    lane = Lane("test", LaneSize(threads=2))
    assert lane.longest_run() == timedelta()
    assert lane.put(Task(gate))
    assert gate.entered.wait(WAIT)
    first = lane.longest_run()
    assert first > timedelta()
    assert lane.longest_run() > first
    gate.opened.set()
    lane.finish()
