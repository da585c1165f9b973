"""How health checks are read and answered."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from libra.api.board import NodeBoard
from libra.api.probes import GROUP_ROUTE, PATH, Probes, answer_probe, read_name
from libra.model.nodestatus import NodeStatus


class FixedBoard(NodeBoard):
    """Without a database."""

    def __init__(self, known: bool = True) -> None:
        nodes = {"a": ("web", NodeStatus.ONLINE), "b": ("web", NodeStatus.OFFLINE)}
        self._board = nodes if known else None


@pytest.mark.parametrize(
    ("query", "name"),
    [
        (b"node=a", "a"),
        (b"x=1&node=a&y", "a"),
        (b"node=%61", "a"),
        (b"node=a%20b", "a b"),
        (b"node=a+b", "a b"),
        (b"node=a;node=b", "a;node=b"),
        (b"", None),
        (b"node", None),
        (b"node=", None),
        (b"nodes=a", None),
        (b"node=a&node=b", None),
        (b"node=&node=b", None),
        (b"node=a&node=a", None),
        (b"node=%ff%fe", "\ufffd\ufffd"),
        (b"node=" + b"a" * 5000, None),
        (b"&" * 5000, None),
    ],
)
def test_names(query: bytes, name: str | None) -> None:
    assert read_name(query) == name


@pytest.mark.parametrize(
    ("group", "query", "status"),
    [
        ("", b"node=a", 200),
        ("web", b"node=a", 200),
        ("web", b"node=b", 503),
        ("db", b"node=a", 404),
        ("", b"node=A", 404),
        ("", b"", 400),
    ],
)
def test_statuses(group: str, query: bytes, status: int) -> None:
    assert answer_probe(FixedBoard(), group, query).status_code == status
    unknown = 400 if status == 400 else 503
    assert answer_probe(FixedBoard(known=False), group, query).status_code == unknown


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/health", PATH),
        ("HEAD", "/health/", PATH),
        ("GET", "/health/web", GROUP_ROUTE),
        ("POST", "/health", None),
        ("GET", "/healthz", None),
        ("GET", "/health/++rest++nodestatus", None),
        ("GET", "/health/web/x", None),
        ("GET", "/health//", None),
        ("GET", "/", None),
    ],
)
def test_what_it_takes_from_the_others(method: str, path: str, route: str | None) -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append("the others")

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        seen.append(message["type"])

    probes = Probes(app, board=FixedBoard(), observe=lambda *given: seen.append(given[:3]))
    scope = {"type": "http", "method": method, "path": path, "query_string": b"node=a"}
    asyncio.run(probes(scope, receive, send))
    sent = ["http.response.start", "http.response.body"]
    assert seen == (["the others"] if route is None else [*sent, (method, route, 200)])
