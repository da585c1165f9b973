from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from libra.objectstores.retries import Deadline, RetryPolicy, is_transient

POLICY = RetryPolicy(first_delay=timedelta(seconds=1), longest_delay=timedelta(seconds=10))


@given(st.integers(1, 30))
def test_delays_grow_to_a_limit(failures: int) -> None:
    grown = min(10.0, 2.0 ** (failures - 1))
    assert grown / 2 <= POLICY.delay_seconds(failures) <= grown


@given(st.floats(0, 1e6))
def test_what_the_server_asks_for_counts_within_the_limit(asked: float) -> None:
    assert min(asked, 10.0) <= POLICY.delay_seconds(1, asked) <= max(1.0, min(asked, 10.0))


def test_what_may_pass() -> None:
    assert all(map(is_transient, (408, 422, 429, 498, 500, 503, 507)))
    assert not any(map(is_transient, (200, 301, 400, 401, 403, 404, 411, 412, 413)))


def test_a_deadline_ends() -> None:
    assert Deadline(timedelta(0)).has_passed
    assert 59 < Deadline(timedelta(minutes=1)).remaining_seconds <= 60
