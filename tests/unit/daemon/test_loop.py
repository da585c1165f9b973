"""Whatever one piece of work raises, all others are done."""

import threading
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from libra.daemon.beats import Beat, Beats
from libra.daemon.loop import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Guard, Loop, Singly, Step
from libra.errors import Conflict, LeaseLost, StorageUnavailable
from tests.support.ports import wait_until
from tests.support.storages import NOW
from tests.unit.daemon.test_beats import Ticks

ODD = (
    ValueError,
    RecursionError,
    MemoryError,
    SystemExit,
    KeyboardInterrupt,
    GeneratorExit,
    AssertionError,
    Conflict,
    StopIteration,
    BaseException,
)


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    """Traces that a terminal would show in colours take their time."""
    with structlog.testing.capture_logs():
        yield


def guard(check: Callable[[], None] = lambda: None, ticks: Ticks | None = None) -> Guard:
    ticks = ticks or Ticks()
    return Guard(Beats(10.0, ticks).add("step", interval=1.0), check, ticks)


def raises(error: BaseException) -> NoReturn:
    raise error


def recurse() -> None:
    recurse()


@given(st.lists(st.one_of(st.none(), st.sampled_from(ODD)), max_size=8))
def test_of_many_steps_only_those_that_raise_do_not_go_well(
    kinds: list[type[BaseException] | None],
) -> None:
    done: list[int] = []

    def build(number: int, kind: type[BaseException] | None) -> Step:
        def act() -> None:
            done.append(number)
            if kind is not None:
                raise kind

        return Step(guard(), act)

    steps = [build(number, kind) for number, kind in enumerate(kinds)]
    assert [step() for step in steps] == [kind is None for kind in kinds]
    assert done == list(range(len(kinds)))
    assert [step() for step in steps] == [kind is None for kind in kinds]
    assert done[len(kinds) :] == [n for n, kind in enumerate(kinds) if kind is None]


@given(st.dictionaries(st.integers(0, 9), st.one_of(st.none(), st.sampled_from(ODD)), max_size=9))
def test_of_many_things_only_those_that_raise_are_passed_by(
    kinds: dict[int, type[BaseException] | None],
) -> None:
    ticks = Ticks()
    singly, done = Singly(guard(ticks=ticks)), []

    def act(number: int) -> None:
        done.append(number)
        kind = kinds[number]
        if kind is not None:
            raise kind

    singly.each(kinds, str, act)
    assert done == list(kinds)
    singly.each(kinds, str, act)
    assert done[len(kinds) :] == [number for number, kind in kinds.items() if kind is None]
    ticks.now += FIRST_PAUSE_SECONDS
    done.clear()
    singly.each(kinds, str, act)
    assert done == list(kinds)


def test_pauses_grow_and_end_with_success() -> None:
    ticks, bad = Ticks(), True

    def act() -> None:
        if bad:
            raise RuntimeError("not now")

    step, pauses = Step(guard(ticks=ticks), act), []
    for _ in range(9):
        assert not step()
        began = ticks.now
        while step._backoff.waits:
            ticks.now += 0.5
        pauses.append(ticks.now - began)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, LONGEST_PAUSE_SECONDS, 60.0, 60.0]
    bad = False
    assert step()
    bad = True
    assert not step()
    assert step._backoff.seconds == FIRST_PAUSE_SECONDS


def test_a_recursion_without_end_ends_nothing() -> None:
    one = guard()
    assert not Step(one, recurse)()
    assert one.beat.state(NOW).error.startswith("RecursionError")


@pytest.mark.parametrize("kind", [StorageUnavailable, LeaseLost])
def test_what_is_the_matter_of_the_whole_loop_is_not_swallowed(
    kind: type[StorageUnavailable],
) -> None:
    def gone() -> None:
        raise StorageUnavailable("nobody answers")

    with pytest.raises(StorageUnavailable):
        Step(guard(gone), lambda: raises(kind("cannot")))()
    with pytest.raises(StorageUnavailable):
        Singly(guard(gone)).each([1, 2], str, lambda _: raises(kind("cannot")))


def test_a_statement_that_one_alone_cannot_have_is_its_own_matter() -> None:
    """The database answers everybody else."""
    done: list[int] = []

    def act(number: int) -> None:
        done.append(number)
        if number == 1:
            raise StorageUnavailable("canceling statement due to lock timeout")

    Singly(guard()).each([1, 2], str, act)
    assert done == [1, 2]
    assert not Step(guard(), lambda: act(1))()


@pytest.mark.parametrize("kind", [*ODD, StorageUnavailable])
def test_a_loop_turns_on(kind: type[BaseException]) -> None:
    turns = threading.Semaphore(0)
    beat = Beats().add("loop", interval=0.1, endless=True)
    first = True

    def turn() -> None:
        nonlocal first
        turns.release()
        if first:
            first = False
            raise kind
        loop.stopping.wait(0.01)

    loop = Loop(beat, turn)
    loop.start()
    try:
        assert turns.acquire(timeout=10)
        assert turns.acquire(timeout=10)
        assert failures(beat) == 1
    finally:
        loop.stop(10)
    assert not loop.is_alive


def failures(beat: Beat) -> int:

    return beat.state(NOW).failures


def test_a_loop_that_waits_after_a_failure_does_not_hang() -> None:
    beat = Beats(0.2).add("loop", interval=0.3, endless=True)
    loop = Loop(beat, lambda: raises(ValueError("again")))
    loop.start()
    try:
        wait_until(lambda: failures(beat) >= 2, timeout=60, what="two failures")
        assert beat.hung() == 0.0
    finally:
        loop.stop(10)


def test_a_loop_is_woken_to_stop() -> None:
    bell = threading.Event()
    loop = Loop(Beats().add("loop", interval=60.0, endless=True), lambda: bell.wait(60) and None)
    loop.start()
    loop.stop(10, bell.set)
    assert not loop.is_alive
