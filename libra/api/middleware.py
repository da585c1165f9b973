"""What surrounds every request: an id, a limit on its body, a line in the log, headers that browsers heed."""

import time
from collections.abc import Callable
from uuid import uuid4

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libra.api.errors import build_refusal
from libra.api.paths import respell
from libra.api.scheduling import prefers_json, read_path
from libra.errors import Invalid

log = structlog.get_logger(__name__)

Observe = Callable[[str, str, int, float], None]
"""Method, route, status of a request, and the seconds until its answer began: a stream's may go on for days."""
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
)


class TooLarge(Exception):
    """The body is larger than allowed."""


def respelled(scope: Scope) -> tuple[Scope, str]:
    """The request by the one path that is routed; why it cannot be read, where it cannot.

    What is the scheduler's is a copy, for its HEAD is routed as a GET, and the server has to know which it was. There,
    `state.text` says whether the answer is text.
    """
    method = scope["method"]
    accepted = ",".join(
        value.decode("latin-1") for name, value in scope["headers"] if name == b"accept"
    )
    try:
        spelling = read_path(scope.get("raw_path", b""), method)
    except Invalid as error:
        scope["state"]["text"] = not prefers_json(accepted)
        return scope, str(error)
    if spelling is not None:
        scope["state"]["text"] = not (spelling.json or prefers_json(accepted))
    if b"%00" in scope.get("raw_path", b"") + scope.get("query_string", b""):
        return scope, "a NUL is in the address"
    if spelling is None:
        scope["path"] = respell(scope["path"])
        return scope, ""
    method = "GET" if method == "HEAD" else method
    return {**scope, "path": spelling.path, "method": method}, ""


class Surroundings:
    """An ASGI middleware."""

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, observe: Observe) -> None:
        self._app = app
        self._most = max_body_bytes
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The only coroutine of ours: ASGI asks for one."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"req-{uuid4()}"
        scope.setdefault("state", {})["request_id"] = request_id
        scope, refusal = respelled(scope)
        started, status, seconds = time.monotonic(), 500, 0.0
        received, told = 0, False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._most:
                raise TooLarge  # which FastAPI takes for a body that cannot be read
            return message

        async def marked(message: Message) -> None:
            nonlocal status, seconds
            if received > self._most and not told:
                return
            if message["type"] == "http.response.start":
                status, seconds = message["status"], time.monotonic() - started
                names = (b"x-openstack-request-id", b"x-request-id")
                added = [(name, request_id.encode()) for name in names]
                given = list(message.get("headers", ()))
                own = {name for name, _ in given}  # a page has a policy of its own
                kept = [(name, value) for name, value in _HEADERS if name not in own]
                message["headers"] = [*given, *added, *kept]
            await send(message)

        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            if refusal:
                await build_refusal(scope, 400, refusal)(scope, receive, marked)
            else:
                await self._app(scope, counted, marked)
        except TooLarge:
            pass
        finally:
            if received > self._most:
                told = True
                fault = build_refusal(scope, 413, f"the body is larger than {self._most} bytes")
                await fault(scope, receive, marked)
            self._tell(scope, status, seconds)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unknown")
        self._observe(scope["method"], route, status, seconds)
        log.debug(
            "request answered",
            action=scope["method"],
            route=route,
            status=status,
            milliseconds=round(seconds * 1000, 1),
        )
