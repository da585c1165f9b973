"""The decoder that remembers gives what the plain one gives, message after message."""

import json
import operator
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.errors import Invalid
from libra.messages.codec import MAX_DEPTH, decode
from libra.messages.decoder import Decoder, Message, known_ends

Node = dict[str, Any]

names = st.sampled_from(["id", "address", "weight", "}", "],", '"', "nodes", "loadbalancers"])
leaves = st.sampled_from([None, True, 1, 1.0, -0.0, 10**30, "", "a", "}", '"},{"', "]}", "\u20ac"])
values: st.SearchStrategy[Any] = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3)
)
pool = st.lists(st.dictionaries(names, values, max_size=4), min_size=1, max_size=6)


@st.composite
def messages(draw: st.DrawFn) -> list[bytes]:
    """Messages that share many nodes, in several spellings, some of them broken."""
    nodes = draw(pool)
    return [draw(texts(nodes)) for _ in range(draw(st.integers(2, 5)))]


@st.composite
def texts(draw: st.DrawFn, nodes: list[Node]) -> bytes:
    chosen = st.lists(st.sampled_from(nodes), max_size=12)
    label = draw(st.sampled_from(["nodes", "nodes", "NODES", "Nodez"]))
    item = st.fixed_dictionaries({"id": leaves, label: chosen}, optional={"x": values})
    message: dict[str, Any] = {
        "hpcs_action": "UPDATE",
        "loadbalancers": draw(st.lists(item, max_size=2)),
    }
    message |= draw(st.dictionaries(names, values, max_size=2))
    compact = draw(st.booleans())
    text = json.dumps(message, separators=(",", ":") if compact else None, ensure_ascii=compact)
    data = text.encode()
    if draw(st.booleans()):
        at = draw(st.integers(0, len(data)))
        data = (
            data[:at] + draw(st.sampled_from([b"", b" ", b"}", b"]", b",", b'"'])) + data[at + 1 :]
        )
    return data


def outcome(read: Callable[[bytes], object], data: bytes) -> tuple[str, str]:
    """The type of every value and the order of names count, too."""
    try:
        return "message", json.dumps(read(data))
    except Invalid as error:
        return "fault", str(error)


@given(messages(), st.sampled_from([1, 2, 4]))
def test_every_message_is_what_the_plain_way_gives(several: list[bytes], run: int) -> None:
    decoder = Decoder(smallest=0, run=run)
    for data in [*several, *several]:
        assert outcome(decoder.decode, data) == outcome(decode, data)


def build(nodes: list[Node], **fields: object) -> bytes:
    return json.dumps({**fields, "loadbalancers": [{"nodes": nodes}]}).encode()


def node(number: int, **fields: object) -> Node:
    return {"id": f"n{number}", "address": "10.0.0.1", "port": number, **fields}


def read_nodes(decoder: Decoder, data: bytes) -> list[Any]:
    message = decoder.decode(data)
    assert isinstance(message, Message)
    found: list[Any] = cast("Any", message)["loadbalancers"][0]["nodes"]
    return found


@pytest.mark.parametrize(
    ("change", "fresh"),
    [
        (lambda nodes: nodes[500].update(weight=2), 1),
        (lambda nodes: nodes[512].update(weight=2), 1),  # the first of a run
        (lambda nodes: nodes[999].update(weight=2), 1),
        (lambda nodes: nodes.append(node(5000)), 1),
        (lambda nodes: nodes.insert(0, node(5000)), 1),
        (lambda nodes: nodes.insert(400, node(5000)), 1),
        (lambda nodes: nodes.pop(300), 0),
        (lambda nodes: nodes.pop(512), 0),
        (lambda nodes: nodes.reverse(), 1000),
        (lambda nodes: None, 0),
    ],
    ids=range(10),
)
def test_nodes_that_came_before_are_the_same_objects(
    change: Callable[[list[Node]], None], fresh: int
) -> None:
    decoder = Decoder()
    nodes = [node(number) for number in range(1000)]
    before = {id(item) for item in read_nodes(decoder, build(nodes))}
    kept = read_nodes(decoder, build(nodes))
    change(nodes)
    after = read_nodes(decoder, build(nodes))
    assert after == nodes
    assert sum(id(item) not in before for item in after) <= fresh
    assert len(kept) == 1000


def test_load_balancers_that_came_before_are_the_same_objects() -> None:
    """Wherever they stand now; of the one that changed, the nodes are."""
    decoder = Decoder(smallest=0)

    def read(*items: Node) -> list[Any]:
        message = decoder.decode(json.dumps({"loadbalancers": items}).encode())
        assert message == {"loadbalancers": list(items)}
        return cast("list[Any]", message["loadbalancers"])

    def balancer(number: int, *nodes: Node) -> Node:
        return {"id": f"lb{number}", "listeners": [], "pools": [{"id": "p", "nodes": list(nodes)}]}

    one, two = balancer(1, node(1), node(2)), balancer(2, node(3))
    before = read(one, two)
    assert [id(item) for item in read(two, balancer(3), one)][::2] == [
        id(before[1]),
        id(before[0]),
    ]
    changed = balancer(1, node(1), node(2, weight=5))
    after = read(changed, two)
    assert after[1] is before[1]
    assert after[0] is not before[0]
    assert after[0]["pools"][0]["nodes"][0] is before[0]["pools"][0]["nodes"][0]
    longer = {**two, "name": "more"}
    assert read(longer)[0] is not before[1]


def test_many_changes_do_not_make_the_runs_small() -> None:
    decoder = Decoder()
    nodes = [node(number) for number in range(300)]
    for number in range(300):
        nodes[number * 7 % 300]["weight"] = number
        nodes.append(node(1000 + number))
        read_nodes(decoder, build(nodes))
    before = {id(item) for item in read_nodes(decoder, build(nodes))}
    nodes[17]["weight"] = 200
    after = read_nodes(decoder, build(nodes))
    assert after == nodes
    assert sum(id(item) not in before for item in after) < 200


@pytest.mark.parametrize("depth", [MAX_DEPTH - 4, MAX_DEPTH - 3])
@pytest.mark.parametrize("again", [False, True])
def test_nodes_are_bounded_in_depth(depth: int, again: bool) -> None:
    deep: object = 1
    for _ in range(depth - 1):
        deep = [deep]
    decoder = Decoder(smallest=0)
    if again:
        decoder.decode(build([node(1)]))
    data = build([node(1), node(2, deep=deep)])
    assert outcome(decoder.decode, data) == outcome(decode, data)
    assert outcome(decode, data)[0] == ("message" if depth == MAX_DEPTH - 4 else "fault")


def test_small_messages_are_read_the_plain_way() -> None:
    assert type(Decoder().decode(build([node(1)]))) is dict


def test_what_surely_begins_and_ends_two_lists_is_never_counted_twice() -> None:
    decoder = Decoder(smallest=0, run=4)
    nodes = [node(number) for number in range(20)]
    one = read_nodes(decoder, build(nodes))
    for change in (lambda: nodes[9].update(weight=5), lambda: nodes.pop(3), lambda: None):
        change()
        other = read_nodes(decoder, build(nodes))
        start, end = known_ends(one, other)
        assert start + end <= min(len(one), len(other))
        assert start + end >= len(other) - 8
        assert all(map(operator.is_, one[:start], other[:start]))
        assert all(map(operator.is_, one[len(one) - end :], other[len(other) - end :]))
        one = other
    assert known_ends(list(one), one) == (0, 0)
