"""When a device doubts, and what it gives up."""

from hypothesis import given
from hypothesis import strategies as st

from libra.worker.contest import DOUBT_SECONDS, PATIENCE, SILENT_SECONDS, Contest, Doubt
from tests.support.vips import addresses

ONE, TWO, BOTH = addresses("10.0.0.70"), addresses("10.0.0.71"), addresses("10.0.0.70", "10.0.0.71")
NOBODY = addresses()
some = st.sets(st.sampled_from(sorted(BOTH, key=str))).map(frozenset)


def settled(now: float = 0.0) -> tuple[Doubt, float]:
    """Past the doubt of the start, and when that is."""
    doubt, end = Doubt(now), now + DOUBT_SECONDS
    while now < end:
        assert doubt.look(now, heard=now, told=now - 999)
        now += 1.0
    assert not doubt.look(now, heard=now, told=-1)
    return doubt, now


def test_a_silent_job_server_makes_it_doubt_for_a_while() -> None:
    doubt, now = settled()
    assert not doubt.look(now + 1, heard=now, told=-1)
    assert doubt.look(now + SILENT_SECONDS + 0.5, heard=now, told=-1)
    assert doubt.look(now + SILENT_SECONDS + 1.5, heard=now + 3, told=-1)


def test_a_gap_in_its_own_time_makes_it_doubt() -> None:
    doubt, now = settled()
    later = now + SILENT_SECONDS + 1
    assert doubt.look(later, heard=later, told=-1)
    assert doubt.look(later + 1, heard=later + 1, told=-1)


def test_who_was_told_since_is_in_no_doubt() -> None:
    doubt, now = settled()
    assert doubt.look(now + 5, heard=now, told=now)
    assert not doubt.look(now + 6, heard=now + 6, told=now + 5.5)
    assert doubt.look(now + 9, heard=now + 6, told=now + 5.5)


def test_doubt_ends() -> None:
    settled(settled()[1])


def test_what_another_host_answers_for_is_given_up_until_none_does() -> None:
    contest = Contest().look(BOTH, ONE)
    assert contest.given_up == ONE
    for _ in range(PATIENCE.start - 1):
        contest = contest.look(BOTH, NOBODY)
        assert contest.given_up == ONE
    assert contest.look(BOTH, ONE).look(BOTH, NOBODY).given_up == ONE  # counted anew
    assert contest.look(BOTH, NOBODY).given_up == NOBODY


def test_what_is_wanted_no_more_is_forgotten() -> None:
    assert Contest().look(BOTH, BOTH).look(TWO, BOTH).given_up == TWO


@given(st.lists(st.tuples(some, some)))
def test_nothing_is_given_up_that_is_not_wanted_nor_kept_that_another_host_has(
    looks: list[tuple[frozenset, frozenset]],  # type: ignore[type-arg]
) -> None:
    contest = Contest()
    for wanted, rivals in looks:
        contest = contest.look(wanted, rivals)
        assert wanted & rivals <= contest.given_up <= wanted
        assert set(contest.quiet) == contest.given_up
