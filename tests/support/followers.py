"""Clients of streams of events, in threads of their own."""

import json
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import httpx

from tests.support.ports import wait_until
from tests.support.web import NOBODY

WAIT = 60.0


class Follower:
    """`with Follower(url, headers) as one:` reads until the block or the stream ends; `messages` is what came whole.

    A message is its fields by name; "" holds its comment.
    """

    def __init__(
        self, base: str, headers: dict[str, str], path: str = "/v1/events/stream", **params: Any
    ) -> None:
        self._client = httpx.Client(
            base_url=base, headers=headers, verify=NOBODY, timeout=WAIT, trust_env=False
        )
        self._request = (path, params)
        self.messages: list[dict[str, str]] = []
        self.headers = httpx.Headers()
        self.status = 0
        self.ended = threading.Event()
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(lambda: self.messages or self.ended.is_set(), timeout=WAIT, what="the stream")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up, in the midst of whatever is under way."""
        if self._socket is not None:
            with suppress(OSError):  # it was hung up by the other side
                self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(WAIT)
        self._client.close()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The data of the events."""
        return [json.loads(item["data"]) for item in list(self.messages) if "data" in item]

    @property
    def last_id(self) -> str:
        """As a browser would send it."""
        return [item["id"] for item in self.messages if "id" in item][-1]

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        """So many events."""
        wait_until(lambda: len(self.events) >= count, timeout=WAIT, what=f"{count} events")
        return self.events

    def _read(self) -> None:
        path, params = self._request
        with (
            suppress(httpx.HTTPError),
            self._client.stream("GET", path, params=params) as answer,
        ):
            self._socket = answer.extensions["network_stream"].get_extra_info("socket")
            self.status, self.headers = answer.status_code, answer.headers
            self._take(answer)
        self.ended.set()

    def _take(self, answer: httpx.Response) -> None:
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                self.messages.append(fields)
                fields = {}
