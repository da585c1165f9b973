"""Marks of nodes, and how many of a group stay online."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.errors import Conflict
from libra.model.nodestatus import (
    Mark,
    Node,
    NodeGroup,
    NodeStatus,
    ensure_enough,
    has_expired,
    is_group_name,
    is_node_name,
    least_online,
    marked,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
STATUSES = st.sampled_from(NodeStatus)
GROUPS = st.builds(
    NodeGroup,
    id=st.just("g"),
    name=st.just("web"),
    created_at=st.just(NOW),
    min_online=st.none() | st.integers(0, 6),
)


def build_node(number: int, status: NodeStatus = NodeStatus.ONLINE) -> Node:
    return Node(
        id=str(number), name=f"n{number}", group_id="g", status=status, since=NOW, created_at=NOW
    )


@pytest.mark.parametrize(
    "name", ["a", "node1", "node1.example.com", "Node-1_x", "10.0.0.1:80", "app@host", "a" * 128]
)
def test_good_names(name: str) -> None:
    assert is_node_name(name)


@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", "a\n", "a/b", "a;b", "a\\b", "ä", "-a", ".a", "a#b", "a'b", 'a"b', "a" * 129],
)
def test_bad_names(name: str) -> None:
    assert not is_node_name(name)
    assert not is_group_name(name)


def test_names_of_methods_are_no_groups() -> None:
    assert not is_group_name("++rest++nodestatus")


MARKS = st.builds(
    Mark,
    status=STATUSES,
    reason=st.sampled_from(["", "why"]),
    expires_at=st.none() | st.just(LATER),
)


@given(STATUSES, MARKS)
def test_a_mark_is_what_is_seen_and_again_changes_nothing(before: NodeStatus, mark: Mark) -> None:
    node = marked(build_node(1, before), mark, "ann", LATER)
    assert node.status is mark.status
    assert marked(node, mark, "bob", LATER + timedelta(hours=1)) == node
    assert (node.since, node.author) == ((NOW, "") if before is mark.status else (LATER, "ann"))
    if node.is_online:
        assert node.expires_at is None
        assert not has_expired(node, LATER)
    else:
        assert node.expires_at == mark.expires_at
        assert has_expired(node, LATER) is (mark.expires_at is not None)
        assert not has_expired(node, NOW)


def test_an_offline_mark_for_good_takes_the_end_of_one_before_away() -> None:
    node = marked(
        build_node(1), Mark(status=NodeStatus.OFFLINE, reason="why", expires_at=LATER), "a", NOW
    )
    node = marked(node, Mark(status=NodeStatus.OFFLINE), "b", NOW)
    assert (node.expires_at, node.reason) == (None, "why")


@given(GROUPS, st.lists(st.tuples(STATUSES, STATUSES), max_size=8))
def test_a_group_never_loses_too_many(
    group: NodeGroup, changes: list[tuple[NodeStatus, NodeStatus]]
) -> None:
    before = [build_node(n, one) for n, (one, _) in enumerate(changes)]
    after = [replace(node, status=to) for node, (_, to) in zip(before, changes, strict=True)]
    had, has = (sum(node.is_online for node in nodes) for nodes in (before, after))
    try:
        ensure_enough(group, before, after)
    except Conflict:
        assert has < had
        assert has < least_online(group, len(after))
    else:
        assert has >= had or has >= least_online(group, len(after))


@pytest.mark.parametrize(("count", "least"), [(0, 0), (1, 0), (2, 1), (9, 1)])
def test_what_holds_where_nothing_is_said(count: int, least: int) -> None:
    group = NodeGroup(id="g", name="web", created_at=NOW)
    assert least_online(group, count) == least
    assert least_online(replace(group, min_online=3), count) == 3
