"""Pauses after failures, on a clock that the test turns."""

from hypothesis import given
from hypothesis import strategies as st

from libra.jobs.gearman.backoff import Backoff


def test_pauses_double_up_to_the_most_and_a_success_ends_them() -> None:
    now = 0.0
    backoff = Backoff(1.0, 5.0, lambda: now, lambda: 0.0)
    assert backoff.due()
    assert [backoff.fail() for _ in range(4)] == [1.0, 2.0, 4.0, 5.0]
    assert not backoff.due()
    now = 4.9
    assert not backoff.due()
    now = 5.0
    assert backoff.due()
    backoff.fail()
    backoff.succeed()
    assert backoff.due()
    assert backoff.fail() == 1.0


@given(st.floats(0, 1), st.integers(1, 20))
def test_chance_shortens_a_pause_by_a_third_at_most(chance: float, failures: int) -> None:
    backoff = Backoff(0.1, 2.0, lambda: 0.0, lambda: chance)
    for failure in range(failures):
        full = min(0.1 * 2**failure, 2.0)
        assert full * 0.66 <= backoff.fail() <= full
