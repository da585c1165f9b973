"""What replies to STATS say of a node."""

from datetime import UTC, datetime
from typing import Any

import pytest

from libra.model.nodesessions import MemberSessions, NodeSessions, read_members

NOW = datetime(2030, 1, 1, tzinfo=UTC)
PLACES = frozenset({("10.0.0.1", 80)})
HERE = {"id": "m", "address": "10.0.0.1", "port": 80, "status": "UP", "current_sessions": 3}


def build_reply(*nodes: Any) -> dict[str, Any]:
    return {"loadbalancers": [{"id": "lb", "pools": [{"id": "p", "nodes": list(nodes)}]}]}


def read(reply: dict[str, Any]) -> list[MemberSessions]:
    return list(read_members("web1", reply, PLACES))


def test_only_what_is_there_counts() -> None:
    (found,) = read(build_reply({**HERE, "port": 81}, HERE, {**HERE, "address": "10.0.0.2"}))
    assert (found.device, found.pool_id, found.member_id) == ("web1", "p", "m")
    assert (found.status, found.sessions, found.takes_traffic) == ("UP", 3, True)


def test_an_older_worker_knows_no_pools() -> None:
    (found,) = read({"loadbalancers": [{"id": "lb", "nodes": [{**HERE, "port": "80"}]}]})
    assert (found.pool_id, found.sessions) == ("lb", 3)


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"loadbalancers": None},
        {"loadbalancers": [1, {"pools": "x"}, {"pools": [2, {"nodes": {}}]}]},
        build_reply(1, {}, {"address": 5, "port": None}),
    ],
)
def test_what_makes_no_sense_is_passed_over(reply: dict[str, Any]) -> None:
    assert read(reply) == []


@pytest.mark.parametrize(
    ("status", "sessions", "silent", "drained", "takes"),
    [
        ("DRAIN", 0, (), True, False),
        ("MAINT", 0, (), True, False),
        ("DOWN", 0, (), True, False),
        ("DRAIN", 1, (), False, False),
        ("UP", 0, (), False, True),
        ("no check", 2, (), False, True),
        ("DRAIN", 0, ("web2",), False, False),
        ("UP", 0, ("web2",), False, False),
    ],
)
def test_drained_means_that_everybody_said_so(
    status: str, sessions: int, silent: tuple[str, ...], drained: bool, takes: bool
) -> None:
    members = tuple(read(build_reply({**HERE, "status": status, "current_sessions": sessions})))
    told = NodeSessions(at=NOW, members=members, silent=silent)
    assert (told.is_drained, told.takes_traffic, told.sessions) == (drained, takes, sessions)
