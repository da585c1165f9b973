"""Remembering changes how often something is made, never what comes out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.model.remembered import ByIdentity, Remembered, RememberedByKey, unequal_middle

sequences = st.lists(st.integers(0, 3), max_size=300)


@given(st.lists(sequences, max_size=6))
def test_the_results_are_those_of_a_plain_mapping(calls: list[list[int]]) -> None:
    remembered = Remembered(lambda item: item * 10)
    for items in calls:
        assert remembered(items) == tuple(item * 10 for item in items)


@given(sequences, sequences)
def test_what_both_begin_and_end_with_is_equal_and_as_long_as_can_be(
    one: list[int], other: list[int]
) -> None:
    start, end = unequal_middle(one, other)
    assert one[:start] == other[:start]
    assert one[len(one) - end :] == other[len(other) - end :]
    assert start + end <= min(len(one), len(other))
    if start + end < min(len(one), len(other)):
        assert one[start] != other[start]
        assert one[-1 - end] != other[-1 - end]


def test_one_change_among_thousands_is_made_once() -> None:
    made: list[int] = []
    remembered = Remembered(lambda item: made.append(item) or item)
    items = list(range(5000))
    remembered(items)
    made.clear()
    remembered([*items[:2500], -1, *items[2501:]])
    assert made == [-1]
    made.clear()
    remembered([*items, 7])  # the middle comes back, and one more
    assert 7 in made


def test_a_key_that_is_not_used_is_forgotten() -> None:
    made: list[int] = []
    remembered = RememberedByKey(lambda _key: lambda item: made.append(item) or item)
    remembered("a", [1])
    remembered.sweep()
    remembered.sweep()
    remembered("a", [1])
    assert made == [1, 1]


def test_a_key_that_is_kept_is_not_forgotten() -> None:
    made: list[int] = []
    remembered = RememberedByKey(lambda _key: lambda item: made.append(item) or item)
    remembered("a", [1])
    for _ in range(3):
        remembered.keep("a")
        remembered.keep("never asked for")
        remembered.sweep()
    remembered("a", [1])
    assert made == [1]


def test_what_was_made_of_an_object_is_found_by_itself_alone() -> None:
    one, twin = [1], [1]
    known: ByIdentity[list[int], str] = ByIdentity()
    known.replace([one], ["made"])
    assert known.get(one) == "made"
    assert known.get(twin) is None
    known.replace([twin], ["again"])
    assert known.get(one) is None
    assert known.get(twin) == "again"


def test_an_object_stays_alive_as_long_as_it_is_known() -> None:
    """Else another one might get its number."""
    known: ByIdentity[list[int], str] = ByIdentity()
    items = [[n] for n in range(100)]
    known.replace(items, ["old"] * 100)
    items.clear()
    others = [[n] for n in range(100)]
    assert all(known.get(item) is None for item in others)


@pytest.mark.parametrize("at", [0, 1, 63, 64, 1023, 1024, 1025, 1500, 2975, 2999])
def test_a_change_is_found_wherever_it_is(at: int) -> None:
    one = list(range(3000))
    assert unequal_middle(one, [*one[:at], -1, *one[at + 1 :]]) == (at, 2999 - at)
    assert unequal_middle(one, [*one[:at], *one[at + 1 :]]) == (at, 2999 - at)
    assert unequal_middle([*one[:at], *one[at + 1 :]], one) == (at, 2999 - at)
    assert unequal_middle(one, one) == (3000, 0)


def test_the_callers_list_stays_its_own() -> None:
    remembered = Remembered(lambda item: item)
    items = [1, 2]
    remembered(items)
    items[0] = 5
    assert remembered([1, 2]) == (1, 2)
    assert remembered(items) == (5, 2)
