"""No pool of several members loses the last one that takes traffic."""

from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import given

from libra.model.draining import NOTHING, Drained
from libra.model.takers import Shared, Target, plan_emptied

A, B, C = (Target(id=name, address=f"10.0.0.{n}", port=80) for n, name in enumerate("abc", 1))


def emptied(*targets: Target, before: Drained = NOTHING, after: Drained) -> bool:
    pool = Shared(key="p", name="the pool", targets=targets)
    return list(plan_emptied([pool], before, after)) == [pool]


def at(*targets: Target) -> Drained:
    return frozenset((target.address, None) for target in targets)


def test_the_last_of_several_is_seen() -> None:
    assert not emptied(A, B, after=at(A))
    assert emptied(A, B, after=at(A, B))
    assert emptied(A, B, before=at(A), after=at(A, B))


def test_one_that_is_alone_may_go() -> None:
    assert not emptied(A, after=at(A))
    assert not emptied(A, replace(B, used=False), after=at(A))  # its owner has left it alone


def test_what_is_down_is_no_taker() -> None:
    down = replace(B, down=True)
    assert emptied(A, down, after=at(A))
    assert not emptied(A, down, after=at(B))
    assert not emptied(replace(A, down=True), down, after=at(A))  # nothing is lost


def test_only_on_its_port() -> None:
    assert not emptied(A, B, after=frozenset({(A.address, 81), (B.address, None)}))


@given(st.sets(st.sampled_from("abc")), st.sets(st.sampled_from("abc")))
def test_bringing_back_empties_nothing(first: set[str], more: set[str]) -> None:
    by_id = {item.id: item for item in (A, B, C)}
    after, before = (at(*map(by_id.__getitem__, names)) for names in (first, first | more))
    assert not emptied(A, B, C, before=before, after=after)
