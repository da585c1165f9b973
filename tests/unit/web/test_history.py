"""What the fleet served over the last minutes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.storage.kinds import Served
from libra.web.history import Rates, Sample, compute_rates


def sample(at: float, requests: int, errors: int = 0) -> Sample:
    return Sample(at, Served(requests=requests, errors=errors))


def test_nothing_yet() -> None:
    assert compute_rates([], 4) == Rates()


def test_a_rate_is_over_the_window() -> None:
    """A device that tells every four seconds is no heart beat."""
    told = [0, 0, 40, 40, 80, 80, 120, 120]
    rates = compute_rates([sample(2 * i, count) for i, count in enumerate(told)], 4)
    assert rates.requests[2:] == (10, 10, 10, 10, 10, 10)


def test_errors_are_a_share() -> None:
    rates = compute_rates([sample(0, 0), sample(4, 100, 5)], 4)
    assert rates.errors == (None, 0.05)


def test_without_requests_there_are_no_errors() -> None:
    assert compute_rates([sample(0, 7, 7), sample(4, 7, 7)], 4).errors == (None, 0.0)


def test_where_nobody_answered_nothing_is_known() -> None:
    rates = compute_rates([sample(0, 0), Sample(4, None), sample(8, 80)], 4)
    assert rates.requests[1] is None


def test_a_listener_that_is_gone_takes_its_count_along() -> None:
    assert compute_rates([sample(0, 100), sample(4, 10)], 4).requests == (None, 0.0)


@given(st.lists(st.tuples(st.floats(0.1, 10), st.integers(0, 1000)), max_size=30))
def test_no_rate_is_below_zero(steps: list[tuple[float, int]]) -> None:
    at, samples = 0.0, []
    for pause, count in steps:
        at += pause
        samples.append(sample(at, count, count // 2))
    rates = compute_rates(samples, 4)
    assert len(rates.requests) == len(rates.errors) == len(rates.bytes_out) == len(samples)
    assert all(value is None or value >= 0 for value in rates.requests)
    assert all(value is None or 0 <= value <= 1 for value in rates.errors)


@pytest.mark.parametrize("window", [0.0, 1e9])
def test_any_window_will_do(window: float) -> None:
    compute_rates([sample(0, 0), sample(1, 1)], window)
