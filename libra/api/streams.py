"""Events as server-sent events: a stream costs a coroutine while it waits, and no thread.

Coroutines of ours are an exception; a thread for each of a hundred streams would be idle nearly always.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from libra.api.errors import build_fault
from libra.api.schemas.shown import show_fields
from libra.api.tail import Tail, Wanted
from libra.daemon.beats import Beats
from libra.errors import StorageUnavailable
from libra.model.event import Event
from libra.storage.base import Storage

MEDIA_TYPE = "text/event-stream"
KEEP_ALIVE_SECONDS = 15.0
RETRY_MILLISECONDS = 2000
AGAIN_SECONDS = 1.0  # between two questions to a database that does not answer
EVENT = (
    *("id", "at", "kind", "subject_id", "project_id", "actor", "reason", "request_id"),
    *("remote", "comment"),
)

MayGoOn = Callable[[], Awaitable[bool]]


class Streams:
    """The open streams of one application, at most `most`; used in its server's loop only."""

    def __init__(self, storage: Storage, most: int, beats: Beats) -> None:
        self.tail = Tail(storage, beats)
        self.open = 0
        self.ended = False
        self.most = most

    @property
    def is_full(self) -> bool:
        """Also when the server stops."""
        return self.ended or self.open >= self.most

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """For as long as a stream is open."""
        self.open += 1
        self.tail.start()
        try:
            yield
        finally:
            self.open -= 1
            if self.open == 0:
                self.tail.stop()

    def end(self) -> None:
        """All of them, at once."""
        self.ended = True
        self.tail.wake()


class EventStream(StreamingResponse):
    """What comes after the event `after`; ends when the client does, when `may_go_on` says no, and with the server.

    `may_go_on` is asked with every sign of life, for a token may have been revoked.
    """

    def __init__(self, streams: Streams, after: int, wanted: Wanted, may_go_on: MayGoOn) -> None:
        # No buffering by a proxy in front, which nginx would do.
        super().__init__(self._parts(), 200, {"X-Accel-Buffering": "no"}, MEDIA_TYPE)
        self._streams = streams
        self._after = after
        self._wanted = wanted
        self._may_go_on = may_go_on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's."""
        if self._streams.is_full:
            text = f"cannot open another stream of events: there are {self._streams.open}"
            await build_fault(503, text, {"Retry-After": "5"})(scope, receive, send)
            return
        with self._streams.one_more():
            await super().__call__(scope, receive, send)

    async def _parts(self) -> AsyncIterator[str]:
        loop, tail = asyncio.get_running_loop(), self._streams.tail
        yield f"retry: {RETRY_MILLISECONDS}\nid: {self._after}\n\n"  # an id: whoever is cut off now can go on, too
        sign_at = loop.time() + KEEP_ALIVE_SECONDS
        while not self._streams.ended:
            changed = tail.changed
            found = await self._read()
            if found:
                yield "".join(map(write_event, found))
            if loop.time() >= sign_at:
                if not await self._may_go_on():
                    return
                yield f": keep-alive\nid: {self._after}\n\n"
                sign_at = loop.time() + KEEP_ALIVE_SECONDS
            elif not found:
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), sign_at - loop.time())

    async def _read(self) -> list[Event]:
        try:
            found, self._after = await self._streams.tail.read(self._after, self._wanted)
        except StorageUnavailable:
            await asyncio.sleep(AGAIN_SECONDS)
            return []
        return found


def show_event(event: Event) -> dict[str, Any]:
    """As answers have it."""
    return show_fields(event, EVENT)


def write_event(event: Event) -> str:
    """ASCII only: there are readers who take other separators of lines for an end of a line."""
    data = json.dumps(show_event(event))
    return f"id: {event.id}\nevent: {event.kind}\ndata: {data}\n\n"
