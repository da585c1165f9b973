"""Answers requests by the service that HAProxy says is meant."""

import json
import logging
import os
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Protocol, assert_never

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from libra import __version__
from libra.model.webservice import Json, Local, Metrics, NodeInfo, Static
from libra.serving.answers import not_found, refuse
from libra.serving.book import Book
from libra.serving.files import StaticAnswer
from libra.serving.jsonvalue import JsonAnswer
from libra.serving.metrics import MetricsAnswer
from libra.serving.nodeinfo import NodeInfoAnswer
from libra.serving.question import ASKING, DIGEST

SERVICE = b"x-libra-service"

log = logging.getLogger(__name__)


class Answering(Protocol):
    """One service."""

    def answer(self, request: Request) -> Response:
        """For any request that came to it."""


class Application:
    """An ASGI application. What `use` is given holds for the requests that begin from then on."""

    def __init__(self, book: Book | None = None) -> None:
        self._started = time.time()
        self.use(book or Book())

    def use(self, book: Book) -> None:
        """Answer what this one says."""
        self._answers: Mapping[str, Answering] = {
            key: self._build(service, book) for key, service in book.services.items()
        }
        self._digest = book.digest

    def _build(self, service: Local, book: Book) -> Answering:
        match service:
            case Json():
                return JsonAnswer(service)
            case Static():
                return StaticAnswer(service, book.directories)
            case NodeInfo():
                return NodeInfoAnswer(book.node, self._started)
            case Metrics():
                return MetricsAnswer(service, book.statistics)
        assert_never(service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's; not ours to block, so what waits is done by a thread."""
        request = Request(scope)
        try:
            answering = self._find(request)
            if isinstance(answering, StaticAnswer | MetricsAnswer):
                response = await run_in_threadpool(answering.answer, request)
            else:
                response = answering.answer(request)
        except Exception:
            log.exception("cannot answer")
            response = refuse(HTTPStatus.INTERNAL_SERVER_ERROR)
        await response(scope, receive, send)

    def _find(self, request: Request) -> Answering:
        headers = request.scope["headers"]
        if any(name == ASKING for name, _ in headers):
            return _Own(self._digest)
        keys = [value for name, value in headers if name == SERVICE]
        key = keys[0].decode(errors="replace") if len(keys) == 1 else ""
        return self._answers.get(key, _NOTHING)


class _Nothing:
    def answer(self, request: Request) -> Response:  # noqa: ARG002
        return not_found()


class _Own:
    """What the worker asks; HAProxy lets nobody else ask it."""

    def __init__(self, digest: str) -> None:
        self._digest = digest

    def answer(self, request: Request) -> Response:
        if request.headers[ASKING.decode()] != DIGEST:
            return not_found()
        fields = {"digest": self._digest, "pid": os.getpid(), "release": __version__}
        return Response(json.dumps(fields), media_type="application/json")


_NOTHING = _Nothing()
