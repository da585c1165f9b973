"""Members that are remembered are what the plain way gives, faults and their paths included."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.errors import Invalid
from libra.messages.fields import Fields
from libra.messages.members import ParseMembers, RememberedMembers, parse_members
from libra.model.pool import Member

Node = dict[str, Any]

ids = st.sampled_from(["a", "b", "c", 1, "1"])
nodes = st.fixed_dictionaries(
    {"address": st.sampled_from(["10.0.0.1", "10.0.0.2", "::1"]), "port": st.integers(1, 3)},
    optional={"id": ids, "weight": st.sampled_from([1, True, 2, 300]), "backup": st.booleans()},
)


@st.composite
def sequences(draw: st.DrawFn) -> list[list[Node]]:
    """Lists that share the very same objects, as a decoder gives them."""
    pool = draw(st.lists(nodes, min_size=1, max_size=8))
    lists = st.lists(st.sampled_from(pool), max_size=6, unique_by=id)
    return draw(st.lists(lists, min_size=2, max_size=6))


def outcome(parse: ParseMembers, items: list[Node]) -> tuple[Member, ...] | str:
    try:
        return parse(Fields({"nodes": items}, "loadbalancers[0]"), "HTTP")
    except Invalid as error:
        return str(error)


@given(sequences())
def test_every_list_gives_what_the_plain_way_gives(lists: list[list[Node]]) -> None:
    remembered = RememberedMembers()
    for items in [*lists, *lists]:
        assert outcome(remembered, list(items)) == outcome(parse_members, items)


def build_nodes(count: int) -> list[Node]:
    return [{"id": str(n), "address": "10.0.0.1", "port": n + 1} for n in range(count)]


def test_what_came_before_is_not_parsed_again() -> None:
    remembered, items = RememberedMembers(), build_nodes(10)
    before = outcome(remembered, items)
    changed = [*items[:4], {**items[4], "weight": 7}, {"address": "::1", "port": 1}, *items[5:]]
    after = outcome(remembered, changed)
    assert not isinstance(before, str)
    assert not isinstance(after, str)
    same = [one is other for one, other in zip(before, (*after[:5], *after[6:]), strict=True)]
    assert same == [True] * 4 + [False] + [True] * 5
    assert after == outcome(parse_members, changed)


def test_true_is_no_weight_though_it_equals_one() -> None:
    remembered, items = RememberedMembers(), build_nodes(3)
    items[1]["weight"] = 1
    outcome(remembered, items)
    faulty = [items[0], {**items[1], "weight": True}, items[2]]
    assert str(outcome(remembered, faulty)).startswith(
        "cannot read loadbalancers[0].nodes[1].weight: "
    )


@pytest.mark.parametrize("field", ["id", "port"])
def test_twins_of_remembered_nodes_are_refused(field: str) -> None:
    remembered, items = RememberedMembers(), build_nodes(5)
    good = outcome(remembered, items)
    twin = {"id": "x", "address": "10.0.0.1", "port": 99, field: items[1][field]}
    for _ in range(2):
        assert "loadbalancers[0].nodes[5]" in str(outcome(remembered, [*items, twin]))
    again = outcome(remembered, items)
    assert not isinstance(good, str)
    assert [one is other for one, other in zip(good, again, strict=True)] == [True] * 5
