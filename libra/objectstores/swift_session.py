"""Requests to one Swift account: tried again where that may help, verified, and explained where they fail."""

import hashlib
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import ParseResult

import structlog

from libra.errors import ObjectStoreError
from libra.objectstores.retries import Deadline, RetryPolicy
from libra.objectstores.swift_client import client as swiftclient
from libra.objectstores.swift_connection import SwiftConnection, silence_loggers
from libra.objectstores.swift_failures import ERRORS, Failure, explain

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/gzip"  # of a manifest it becomes the whole object's
T = TypeVar("T")
_Http = tuple[ParseResult, SwiftConnection]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A storage URL and how to get in. The token stays out of every repr."""

    url: str
    token: str = field(repr=False)
    trust: ssl.SSLContext


class RequestFailed(ObjectStoreError):
    """A request failed for good; `doubtful` where the store may have done it all the same."""

    def __init__(self, text: str, status: int | None, *, doubtful: bool) -> None:
        super().__init__(text, status)
        self.doubtful = doubtful


class SwiftSession:
    """Used by one thread, but `abort` comes from another. Every method raises `ObjectStoreError`."""

    def __init__(self, target: Target, policy: RetryPolicy, deadline: Deadline) -> None:
        silence_loggers()
        self._target = target
        self._policy = policy
        self._deadline = deadline
        self._stopped = threading.Event()
        self._connection = SwiftConnection(target.url, target.trust)

    def put_object(self, container: str, name: str, data: memoryview) -> str:
        """Store bytes and give their MD5, which Swift has compared. Makes the container where it is missing."""
        etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        self._put(container, name, data, etag)
        return etag

    def put_manifest(self, container: str, name: str, manifest: bytes, etag: str) -> None:
        """Make one object of stored segments. `etag` is that of the whole.

        A Swift without static large objects would store the manifest itself, but finds that its ETag is another.
        """
        query = "multipart-manifest=put"
        self._put(container, name, memoryview(manifest), etag, query)

    def delete_object(self, container: str, name: str) -> None:
        """Remove an object; no error where there is none."""

        def call(http: _Http) -> None:
            swiftclient.delete_object(self._url, self._target.token, container, name, http)

        try:
            self._request(f"DELETE {container}/{name}", call)
        except RequestFailed as error:
            if error.status != 404:
                raise

    def abort(self) -> None:
        """End the running request, and refuse further ones."""
        self._stopped.set()
        self._connection.abort()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @property
    def _url(self) -> str:
        return self._target.url

    def _put(
        self,
        container: str,
        name: str,
        data: memoryview,
        etag: str,
        query: str | None = None,
    ) -> None:
        """The object first: whoever may write objects may not be allowed to make containers."""

        def call(http: _Http) -> str:
            return swiftclient.put_object(
                self._url,
                self._target.token,
                container,
                name,
                _Body(data, self._deadline),
                content_length=len(data),
                etag=etag,
                content_type=CONTENT_TYPE,
                http_conn=http,
                query_string=query,
            )

        request = f"PUT {container}/{name}"
        try:
            answer = self._request(request, call)
        except RequestFailed as error:
            if error.status != 404:
                raise
            answer = None
        if answer is None:
            self._make_container(container)
            answer = self._request(request, call)
        if answer.lower() != etag:
            words = (
                f"{request} was answered without the object's checksum; is it a Swift storage URL?"
            )
            raise RequestFailed(f"cannot store: {words}", None, doubtful=True)

    def _make_container(self, container: str) -> None:
        def call(http: _Http) -> None:
            swiftclient.put_container(self._url, self._target.token, container, http_conn=http)

        self._request(f"PUT {container}", call)

    def _request(self, request: str, call: Callable[[_Http], T]) -> T:
        failures: list[Failure] = []
        while True:
            outcome = self._try(request, call)
            if not isinstance(outcome, Failure):
                return outcome
            failures.append(outcome)
            self._connection.close()
            self._wait_or_give_up(failures)

    def _try(self, request: str, call: Callable[[_Http], T]) -> T | Failure:
        """The result, or why there is none. Foreign errors end here: their chain may hold the token."""
        if self._stopped.is_set() or self._deadline.has_passed:
            return self._out_of_time(request)
        network = self._policy.network_timeout.total_seconds()
        self._connection.limit(min(network, self._deadline.remaining_seconds))
        try:
            return call((self._connection.parsed_url, self._connection))
        except ERRORS as error:
            failure = explain(error, request, self._target.token)
        if failure.status is None and (self._stopped.is_set() or self._deadline.has_passed):
            return self._out_of_time(request)
        return failure

    def _out_of_time(self, request: str) -> Failure:
        return Failure(f"{request} was given up, {self._deadline.words}", transient=False)

    def _wait_or_give_up(self, failures: list[Failure]) -> None:
        last, count = failures[-1], len(failures)
        delay = self._policy.delay_seconds(count, last.retry_after_seconds)
        if (
            last.transient
            and count < self._policy.attempts
            and delay < self._deadline.remaining_seconds
        ):
            log.warning("trying again", action="store", error=last.words, delay_seconds=delay)
            self._stopped.wait(delay)
            return
        tries = f" (tried {count} times)" if count > 1 else ""
        raise RequestFailed(
            f"cannot store: {last.words}{tries}",
            last.status,
            doubtful=any(failure.may_have_worked for failure in failures),
        )


class _Body:
    """Bytes to send, not copied as a whole; ends with the deadline, however slowly they are taken."""

    def __init__(self, data: memoryview, deadline: Deadline) -> None:
        self._data = data
        self._deadline = deadline
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        """The next piece."""
        if self._deadline.has_passed:
            raise TimeoutError("the whole upload takes too long")
        end = len(self._data) if size < 0 else self._position + size
        piece = bytes(self._data[self._position : end])
        self._position += len(piece)
        return piece
