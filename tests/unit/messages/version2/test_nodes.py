"""Nodes in messages of 2.0."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.errors import Invalid
from libra.messages.digest import digest_of
from libra.messages.requests import Update, parse_request
from libra.messages.version2.nodes import build_nodes
from libra.model.loadbalancer import Desired
from libra.model.nodestatus import GROUP_NAME, NODE_NAME, NodeStatus, ReportedNode, reported

BOARDS = st.dictionaries(
    st.from_regex(NODE_NAME, fullmatch=True),
    st.tuples(st.from_regex(GROUP_NAME, fullmatch=True), st.sampled_from(NodeStatus)),
    max_size=8,
)


def parse(nodes: Any) -> Update:
    message = {"hpcs_action": "UPDATE", "hpcs_version": "2.0", "loadbalancers": []}
    request = parse_request({**message, "nodes": nodes})
    assert isinstance(request, Update)
    return request


@given(BOARDS)
def test_they_are_read_as_they_were_written(board: dict[str, tuple[str, NodeStatus]]) -> None:
    nodes = reported(board)
    assert parse(build_nodes(nodes)).nodes == nodes


def test_none_is_not_nothing() -> None:
    message = {"hpcs_action": "UPDATE", "hpcs_version": "2.0", "loadbalancers": []}
    bare = parse_request(message)
    assert isinstance(bare, Update)
    assert bare.nodes is None
    assert parse({}).nodes == ()
    assert digest_of(Desired()) != digest_of(Desired(nodes=()))


def test_the_digest_tells_statuses_apart() -> None:
    one = (ReportedNode("g", "a", NodeStatus.ONLINE),)
    other = (ReportedNode("g", "a", NodeStatus.OFFLINE),)
    assert digest_of(Desired(nodes=one)) != digest_of(Desired(nodes=other))


@pytest.mark.parametrize(
    "nodes",
    [
        [],
        "x",
        {"g": None},
        {"g": ["a"]},
        {"g": {"a": "up"}},
        {"g": {"a": True}},
        {"g": {"a": None}},
        {"g/h": {"a": "online"}},
        {"": {"a": "online"}},
        {"g": {"a b": "online"}},
        {"g": {"a;b": "online"}},
        {"g": {"a\n": "online"}},
        {"g": {"": "online"}},
        {"g": {"a": "online"}, "h": {"a": "online"}},
    ],
)
def test_bad_ones_are_refused(nodes: Any) -> None:
    with pytest.raises(Invalid, match="cannot read"):
        parse(nodes)
