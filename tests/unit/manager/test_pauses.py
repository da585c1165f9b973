"""Pauses grow, end, and are each one's own."""

from datetime import timedelta

from libra.manager.pauses import FIRST_PAUSE, LONGEST_PAUSE, Pauses
from tests.support.storages import NOW


def test_twice_as_long_each_time_up_to_a_limit() -> None:
    pauses, now = Pauses(), NOW
    seen = [pauses.begin("a", now) for _ in range(9)]
    assert seen[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert seen[-1] == LONGEST_PAUSE


def test_it_holds_until_its_time_has_come_or_it_is_ended() -> None:
    pauses = Pauses()
    pause = pauses.begin("a", NOW)
    assert pauses.holds("a", NOW + pause - timedelta(seconds=1))
    assert not pauses.holds("a", NOW + pause)
    assert not pauses.holds("b", NOW)
    pauses.end("a")
    pauses.end("a")
    assert not pauses.holds("a", NOW)
    assert pauses.begin("a", NOW) == FIRST_PAUSE
