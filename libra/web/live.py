"""A page that stays up to date: its parts as server-sent events, each when it has changed.

Coroutines of ours are an exception, for the reason that `libra.api.streams` gives.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import anyio.to_thread
import structlog
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from libra.api.errors import build_fault
from libra.errors import LibraError, StorageUnavailable
from libra.web.render import digest

log = structlog.get_logger(__name__)

EVERY_SECONDS = 1.0
KEEP_ALIVE_SECONDS = 15.0
THREADS = 4  # of their own: requests must not wait for who only looks on
GONE = "event: gone\ndata: {}\n\n"
AWAY = "event: away\ndata: {}\n\n"

Parts = dict[str, str]
"""HTML by the id of its element."""


class Watchers:
    """The open pages of one application, at most `most`."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.open = 0
        self.ended = False
        self.limiter: anyio.CapacityLimiter | None = None  # made in the loop that it is used in

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """For as long as a page is open."""
        self.open += 1
        self.limiter = self.limiter or anyio.CapacityLimiter(THREADS)
        try:
            yield
        finally:
            self.open -= 1

    def end(self) -> None:
        """All of them, within `EVERY_SECONDS`."""
        self.ended = True


class LivePage(StreamingResponse):
    """What `look` gives, whenever a part of it has changed. None from `look`: the visitor may not see it any more."""

    def __init__(self, watchers: Watchers, look: Callable[[], Parts | None]) -> None:
        super().__init__(self._parts(), 200, {"X-Accel-Buffering": "no"}, "text/event-stream")
        self._watchers = watchers
        self._look = look

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's."""
        if self._watchers.ended or self._watchers.open >= self._watchers.most:
            text = f"cannot keep another page up to date: there are {self._watchers.open}"
            await build_fault(503, text, {"Retry-After": "5"})(scope, receive, send)
            return
        with self._watchers.one_more():
            await super().__call__(scope, receive, send)

    async def _parts(self) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        known: dict[str, str] = {}
        sign_at = loop.time() + KEEP_ALIVE_SECONDS
        yield "retry: 2000\n\n"
        while not self._watchers.ended:
            started = loop.time()
            told = "".join([part async for part in self._news(known)])
            if told:
                yield told
            if GONE in told:
                return
            if loop.time() >= sign_at:
                yield ": keep-alive\n\n"
                sign_at = loop.time() + KEEP_ALIVE_SECONDS
            # Where a look takes long, the pause is as long as that: a large fleet is looked at more rarely.
            took = loop.time() - started
            await asyncio.sleep(max(EVERY_SECONDS - took, took))

    async def _news(self, known: dict[str, str]) -> AsyncIterator[str]:
        try:
            parts = await anyio.to_thread.run_sync(self._look, limiter=self._watchers.limiter)
        except StorageUnavailable:
            known.clear()
            yield AWAY
            return
        except LibraError:  # what the page is about is gone
            yield GONE
            return
        except Exception:
            log.exception("internal error", action="live")
            yield AWAY
            return
        if parts is None:
            yield GONE
            return
        for key, html in parts.items():
            mark = digest(html)
            if known.get(key) != mark:
                known[key] = mark
                yield write_part(key, html)


def write_part(key: str, html: str) -> str:
    """ASCII only, on one line."""
    return f"event: part\ndata: {json.dumps({'id': key, 'html': html})}\n\n"
