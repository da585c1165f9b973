"""Which share of the devices each project has, and should have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.model.fairness import NOWHERE, distribute, find_limited
from libra.model.overview import Share

NAMES = st.sampled_from(("a", "b", "c"))
SHARES = st.lists(
    st.builds(Share, st.sampled_from("123456"), st.just("p"), NAMES, st.integers(1, 9))
)


def test_two_projects_and_three_devices() -> None:
    shares = [Share("1", "p", "a", 3), Share("2", "p", "a", 1), Share("3", "q", "b", 1)]
    found = distribute(shares, (), ())
    assert found.current == pytest.approx({("a", "p"): 2 / 3, ("b", "q"): 1 / 3})
    assert found.desired == pytest.approx({("a", "p"): 0.5, ("b", "q"): 0.5})
    assert found.differences == pytest.approx({("a", "p"): 1 / 6, ("b", "q"): -1 / 6})


def test_a_device_is_all_of_theirs() -> None:
    shares = [Share("1", "p", "a", 9), Share("1", "p", "b", 1)]
    assert distribute(shares, (), ()).current == {("a", "p"): 0.5, ("b", "p"): 0.5}


def test_a_project_in_two_pools() -> None:
    shares = [Share("1", "p", "a", 3), Share("2", "q", "a", 1)]
    assert distribute(shares, (), ()).desired == {("a", "p"): 0.75, ("a", "q"): 0.25}


def test_one_that_got_nothing() -> None:
    found = distribute([Share("1", "p", "a", 1)], ("b",), ())
    assert found.desired == {("a", "p"): 0.5, ("b", NOWHERE): 0.5}
    assert found.differences == {("a", "p"): 0.5, ("b", NOWHERE): -0.5}


def test_one_that_has_all_that_it_may() -> None:
    shares = [Share("1", "p", "a", 1), Share("2", "p", "b", 1), Share("3", "p", "b", 1)]
    limited = find_limited(shares, {"a": 1, "b": -1, "c": 0, "d": 5})
    assert limited == {"a", "c"}
    assert distribute(shares, (), limited).differences == pytest.approx({("b", "p"): 0.0})
    assert distribute(shares[:1], (), limited).differences == {}


def test_nothing_at_all() -> None:
    found = distribute((), (), ())
    assert (found.current, found.desired, found.differences) == ({}, {}, {})


@given(SHARES, st.sets(NAMES))
def test_parts_of_one(shares: list[Share], waiting: set[str]) -> None:
    found = distribute(shares, waiting, ())
    assert sum(found.current.values()) == pytest.approx(1.0 if shares else 0.0)
    assert sum(found.desired.values()) == pytest.approx(1.0 if shares or waiting else 0.0)
    if shares:
        assert sum(found.differences.values()) == pytest.approx(0.0)


@given(SHARES, st.sets(NAMES), st.sets(NAMES))
def test_limited_ones_have_no_difference(
    shares: list[Share], waiting: set[str], limited: set[str]
) -> None:
    found = distribute(shares, waiting, limited)
    assert {name for name, _ in found.differences}.isdisjoint(limited)
    wanted = {kind for kind in (*found.current, *found.desired) if kind[0] not in limited}
    assert set(found.differences) == wanted
