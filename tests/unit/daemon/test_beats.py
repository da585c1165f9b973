"""Who hangs, and who is named for it."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.daemon.beats import Beats
from tests.support.storages import NOW


class Ticks:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def beats(ticks: Ticks) -> Beats:
    return Beats(10.0, ticks)


def test_who_never_began_and_who_rests_does_not_hang(beats: Beats, ticks: Ticks) -> None:
    loop = beats.add("loop", interval=1.0, endless=True)
    step = beats.add("step", interval=1.0)
    ticks.now += 1000
    assert beats.fault() == ""
    loop.beat()
    with step.turn():
        pass
    loop.rest()
    ticks.now += 1000
    assert beats.fault() == ""
    assert (loop.hung(), step.hung()) == (0.0, 0.0)


def test_a_loop_hangs_when_it_is_longer_silent_than_its_limit(beats: Beats, ticks: Ticks) -> None:
    loop = beats.add("loop", interval=2.0, endless=True)
    loop.beat()
    ticks.now += 12.0
    assert loop.hung() == 0.0
    ticks.now += 0.5
    assert loop.hung() == 10.5
    assert beats.fault() == "the loop 'loop' hangs, for 10 s by now"
    loop.beat()
    assert beats.fault() == ""


def test_of_a_loop_and_its_step_the_step_is_named(beats: Beats, ticks: Ticks) -> None:
    loop = beats.add("loop", interval=0.5, endless=True)
    step = beats.add("step", interval=1.0)
    loop.beat()
    with step.turn():
        ticks.now += 20
        assert beats.fault() == "the loop 'step' hangs, for 20 s by now"
    loop.beat()
    assert beats.fault() == ""


def test_one_of_several_turns_may_hang(beats: Beats, ticks: Ticks) -> None:
    """Each of another thread; what one may take by itself comes on top."""
    import threading

    sends = beats.add("sends", interval=0.5)
    begun, over = threading.Barrier(3), threading.Event()

    def send(within: float) -> None:
        with sends.turn(within):
            begun.wait(10)
            over.wait(10)

    threads = [threading.Thread(target=send, args=(within,)) for within in (5.0, 500.0)]
    for thread in threads:
        thread.start()
    begun.wait(10)
    ticks.now += 15
    assert sends.hung() == 0.0
    ticks.now += 1
    assert sends.hung() == 11.0
    over.set()
    for thread in threads:
        thread.join(10)
    assert sends.hung() == 0.0


def test_who_comes_to_the_next_of_many_things_has_its_time_anew(beats: Beats, ticks: Ticks) -> None:
    step = beats.add("step", interval=1.0)
    with step.turn():
        for _ in range(5):
            with step.turn():
                ticks.now += 8
            assert step.hung() == 0.0
        ticks.now += 11
        assert step.hung() == 11.0


def test_what_is_told_of_a_loop(beats: Beats, ticks: Ticks) -> None:
    step = beats.add("step", interval=1.5, stores=("database",), limit=7.0)
    (never,) = beats.states(NOW)
    assert (never.beat, never.failures, never.failed_at) == (None, 0, None)
    with step.turn():
        pass
    step.fail(ValueError("no\ngood"))
    ticks.now += 4
    (state,) = beats.states(NOW)
    assert (state.name, state.interval, state.limit, state.stores) == (
        "step",
        1.5,
        7.0,
        ("database",),
    )
    assert state.beat == state.failed_at == NOW - timedelta(seconds=4)
    assert (state.failures, state.error) == (1, "ValueError: no good")


class _Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@given(st.one_of(st.text().map(ValueError), st.just(_Mute()), st.just(SystemExit(3))))
def test_whatever_was_raised_can_be_told(error: BaseException) -> None:
    beats = Beats()
    beats.add("step", interval=1.0).fail(error)
    (state,) = beats.states(NOW)
    assert state.failures == 1
    assert state.error.startswith(type(error).__name__)
    assert "\n" not in state.error
    assert len(state.error) <= 500
