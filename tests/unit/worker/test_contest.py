"""When a device doubts, and what it gives up."""

from hypothesis import given
from hypothesis import strategies as st

from libra.worker.contest import (
    DOUBT_SECONDS,
    NEVER,
    PATIENCE,
    SILENT_SECONDS,
    UNSURE_SECONDS,
    Absence,
    Contest,
)
from tests.support.vips import addresses

ONE, TWO, BOTH = addresses("10.0.0.70"), addresses("10.0.0.71"), addresses("10.0.0.70", "10.0.0.71")
NOBODY = addresses()
FIRST = PATIENCE.start
some = st.sets(st.sampled_from(sorted(BOTH, key=str))).map(frozenset)


def test_a_silent_job_server_means_that_it_is_away() -> None:
    absence = Absence(100.0)
    assert absence.look(101.0, heard=100.0) == NEVER
    assert absence.look(102.5, heard=100.0) == 102.5
    assert absence.look(103.0, heard=103.0) == 102.5


def test_a_gap_in_its_own_time_means_that_it_was_away() -> None:
    absence, later = Absence(100.0), 101.0 + SILENT_SECONDS
    assert absence.look(later, heard=later) == later
    assert absence.look(later + 1, heard=later + 1) == later


def test_what_a_job_gave_it_since_it_was_away_is_not_doubtful() -> None:
    contest = Contest().tell(NOBODY, ONE, NEVER, 10.0).tell(ONE, BOTH, NEVER, 20.0)
    assert contest.doubtful(BOTH, 5.0, 21.0) == NOBODY
    assert contest.doubtful(BOTH, 15.0, 21.0) == ONE
    assert contest.doubtful(BOTH, 25.0, 26.0) == BOTH
    assert contest.doubtful(BOTH, 25.0, 25.0 + DOUBT_SECONDS) == NOBODY
    assert Contest().doubtful(BOTH, 5.0, 6.0) == BOTH  # of before its start
    assert Contest().doubtful(BOTH, NEVER, 6.0) == NOBODY


def test_what_a_job_gave_it_right_after_it_was_away_is_doubtful_for_a_while() -> None:
    contest = Contest().tell(NOBODY, ONE, 9.0, 10.0)
    assert contest.doubtful(ONE, 9.0, 11.0) == ONE
    assert contest.doubtful(ONE, 9.0, 10.0 + UNSURE_SECONDS) == NOBODY


def test_what_another_host_answers_for_is_given_up_until_none_does() -> None:
    contest = Contest().look(BOTH, ONE, FIRST)
    assert contest.given_up == ONE
    for _ in range(FIRST - 1):
        contest = contest.look(BOTH, NOBODY, FIRST)
        assert contest.given_up == ONE
    counted_anew = contest.look(BOTH, ONE, FIRST).look(BOTH, NOBODY, FIRST)
    assert counted_anew.given_up == ONE
    assert contest.look(BOTH, NOBODY, FIRST).given_up == NOBODY


def test_patience_is_drawn_when_something_is_given_up() -> None:
    contest = Contest().look(BOTH, ONE, 7)
    assert contest.look(BOTH, ONE, 9).patience == 7
    assert contest.look(BOTH, BOTH, 9).patience == 9


def test_what_is_doubtful_no_more_is_taken_back() -> None:
    assert Contest().look(BOTH, BOTH, FIRST).look(NOBODY, NOBODY, FIRST).given_up == NOBODY


def test_a_job_takes_back_only_what_it_gives_anew() -> None:
    contest = Contest().look(ONE, ONE, FIRST)
    assert contest.tell(ONE, BOTH, NEVER, 1.0).given_up == ONE
    assert contest.tell(ONE, TWO, NEVER, 1.0).given_up == NOBODY
    assert contest.tell(ONE, NOBODY, NEVER, 1.0).tell(NOBODY, ONE, NEVER, 2.0).given_up == NOBODY


@given(st.lists(st.tuples(some, some, some)))
def test_nothing_is_given_up_that_is_not_wanted_nor_kept_that_another_host_has(
    steps: list[tuple[frozenset, frozenset, frozenset]],  # type: ignore[type-arg]
) -> None:
    contest, had = Contest(), NOBODY
    for number, (wanted, doubtful, rivals) in enumerate(steps):
        contest = contest.tell(had, wanted, NEVER, float(number))
        assert contest.given_up <= wanted & had
        contest, had = contest.look(doubtful & wanted, rivals, FIRST), wanted
        assert doubtful & wanted & rivals <= contest.given_up <= doubtful & wanted
        assert set(contest.quiet) == contest.given_up
