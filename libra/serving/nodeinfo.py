"""The web service `nodeinfo`: a page about the device, or the same as JSON."""

import html
import time
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from libra import __version__
from libra.serving.answers import HARMLESS, READING, not_allowed
from libra.serving.book import Node

HEADERS = {**HARMLESS, "cache-control": "no-store", "vary": "Accept"}
POLICY = {"content-security-policy": "default-src 'none'"}


class NodeInfoAnswer:
    """`started` is by `time.time`."""

    def __init__(self, node: Node, started: float) -> None:
        self._node = node
        self._started = started

    def answer(self, request: Request) -> Response:
        """For its path and all below."""
        if request.method not in READING:
            return not_allowed()
        facts = self._facts()
        if prefers_json(request.headers.get("accept", "")):
            return JSONResponse(facts, headers=HEADERS)
        return HTMLResponse(_render(facts), headers={**HEADERS, **POLICY})

    def _facts(self) -> dict[str, str | int | None]:
        started = datetime.fromtimestamp(self._started, UTC)
        return {
            "name": self._node.name,
            "release": __version__,
            "proxy": self._node.proxy,
            "started": started.isoformat(timespec="seconds"),
            "uptime_seconds": max(0, int(time.time() - self._started)),
        }


def prefers_json(accept: str) -> bool:
    """Whether who sends this header would rather have JSON; without a word about it, HTML is for people."""
    wanted = dict(map(_parse_range, accept.lower().split(",")))
    default = wanted.get("*/*", 0.0)
    html_rank = wanted.get("text/html", wanted.get("text/*", default))
    json_rank = wanted.get("application/json", wanted.get("application/*", default))
    return json_rank > html_rank


def _parse_range(item: str) -> tuple[str, float]:
    name, *parameters = (part.strip() for part in item.split(";"))
    weights = [part[2:] for part in parameters if part.startswith("q=")]
    try:
        return name, float(weights[0]) if weights else 1.0
    except ValueError:
        return name, 0.0


def _render(facts: dict[str, str | int | None]) -> str:
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>\n"
        for name, value in facts.items()
        if value is not None
    )
    return (
        "<!DOCTYPE html>\n<html><head><meta charset='utf-8'><title>libra node</title></head>\n"
        f"<body><h1>libra node</h1>\n<table>\n{rows}</table>\n</body></html>\n"
    )
