"""What is seen of a group, and what a rollout of it would do."""

from typing import Any

import pytest

from libra.errors import Invalid, NotFound
from libra.rollout.leading import Fleet, read_fleet
from libra.rollout.options import Options
from libra.rollout.preview import preview


def shown(name: str, **given: Any) -> dict[str, Any]:
    node = {"name": name, "address": "10.0.0.1", "port": 80, "status": "online", "reason": ""}
    told = {"sessions": 0, "silent": [], "members": 2, "open_members": 2}
    return {**node, **told, **given}


def build_fleet(*nodes: dict[str, Any], least: int = 0) -> Fleet:
    return read_fleet({"group": {"name": "web", "least_online": least}, "nodes": list(nodes)})


def seen(**given: Any) -> tuple[object, ...]:
    sight = build_fleet(shown("a", **given)).sights["a"]
    return sight.serves, sight.settled, sight.sessions


def test_what_a_node_is_seen_as() -> None:
    assert seen() == (True, True, 0)
    assert seen(members=0, open_members=0) == (True, True, 0)  # no device has it
    assert seen(open_members=1) == (False, False, 0)
    assert seen(silent=["east"], sessions=3) == (True, False, None)
    assert seen(silent=["east"], open_members=1) == (False, False, None)
    assert seen(status="offline", open_members=0, sessions=3) == (False, True, 3)
    assert seen(status="offline", open_members=1) == (False, False, 0)


def test_turns() -> None:
    fleet = build_fleet(*map(shown, "abcde"))
    rows = preview(fleet, (), Options(command=("do", "{node}"), batch=2, min_online="3"))
    assert [(row["node"], row["turn"]) for row in rows] == [
        *(("a", 1), ("b", 1), ("c", 2), ("d", 2), ("e", 3)),
    ]
    assert rows[0]["command"] == "do a"


def test_the_order_that_is_asked_for_and_who_is_left_out() -> None:
    fleet = build_fleet(shown("a"), shown("b", status="offline", reason="disk"), shown("c"))
    options = Options(command=("true",), min_online="1", health="http://{address}:{port}/{node}")
    rows = preview(fleet, ("c", "b"), options)
    assert [(row["node"], row["turn"], row["reason"]) for row in rows] == [
        ("c", 1, ""),
        ("b", None, "it is offline: disk"),
    ]
    assert rows[0]["urls"] == ["http://10.0.0.1:80/c"]


def test_too_few_serve_now() -> None:
    fleet = build_fleet(shown("a"), shown("b", status="offline"), shown("c"))
    rows = preview(fleet, ("a",), Options(command=("true",), min_online="2"))
    assert [row["reason"] for row in rows] == ["too few would serve"]


def test_what_can_never_be_done() -> None:
    fleet = build_fleet(shown("a"), shown("b"), least=2)
    with pytest.raises(Invalid, match="2 of 2 nodes must stay online"):
        preview(fleet, (), Options(command=("true",)))
    with pytest.raises(NotFound, match="'z'"):
        preview(build_fleet(shown("a"), shown("b")), ("z",), Options(command=("true",)))
    with pytest.raises(Invalid, match="has no nodes"):
        preview(build_fleet(), (), Options(command=("true",)))
