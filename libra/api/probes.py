"""Health checks, answered before anything else of the API sees them: GET /health?node=NAME, /health/GROUP?node=NAME.

Contract: the seed `clustermgmt.txt`. Load balancers ask this many times a second, so nothing is done that need not be:
no token, no database, no request id.
"""

import re
import time
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from libra.api.board import NodeBoard
from libra.model.nodestatus import GROUP_NAME, NodeStatus, is_node_name

PATH = "/health"
GROUP_ROUTE = f"{PATH}/{{group}}"
MOST_QUERY = 2000  # bytes that are read as one
_GROUP = re.compile(rf"{PATH}(?:/(?P<group>{GROUP_NAME}))?/?")
_METHODS = ("GET", "HEAD")
_HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}

Observe = Callable[[str, str, int, float], None]


def _answer(status: int, text: str) -> Response:
    """Made once: nothing in it depends on who asks."""
    return PlainTextResponse(text, status, headers=_HEADERS)


ONLINE = _answer(200, "OK")
OFFLINE = _answer(503, "the node is offline\n")
NOT_READ = _answer(503, "the nodes were not read yet\n")
UNKNOWN = _answer(404, "there is no such node\n")
NO_NAME = _answer(400, "one node must be named: ?node=NAME\n")


class Probes:
    """An ASGI middleware in front of all others."""

    def __init__(self, app: ASGIApp, *, board: NodeBoard, observe: Observe) -> None:
        self._app = app
        self._board = board
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's."""
        is_meant = scope["type"] == "http" and scope["path"].startswith(PATH)
        match = _GROUP.fullmatch(scope["path"]) if is_meant else None
        if match is None or scope["method"] not in _METHODS:
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        group = match["group"]
        answer = answer_probe(self._board, group or "", scope["query_string"])
        await answer(scope, receive, send)
        route = GROUP_ROUTE if group else PATH
        seconds = time.monotonic() - started
        self._observe(scope["method"], route, answer.status_code, seconds)


def answer_probe(board: NodeBoard, group: str, query: bytes) -> Response:
    """Fail-closed: what is not known to be online is an error."""
    name = read_name(query)
    if name is None:
        return NO_NAME
    if not board.is_known:
        return NOT_READ
    match board.look(name, group):
        case NodeStatus.ONLINE:
            return ONLINE
        case NodeStatus.OFFLINE:
            return OFFLINE
        case _:
            return UNKNOWN


def read_name(query: bytes) -> str | None:
    """The one value of `node`; None where there is none, an empty one, or several."""
    text = query.decode("latin-1")
    name = text.removeprefix("node=")
    if len(name) < len(text) and is_node_name(name):  # nearly all: nothing to be decoded
        return name
    if len(query) > MOST_QUERY:
        return None
    names = parse_qs(text, keep_blank_values=True).get("node", [])
    return names[0] if len(names) == 1 and names[0] else None
