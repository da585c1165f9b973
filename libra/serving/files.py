"""The web service `static`: files below a directory."""

import os
import stat
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.types import Message, Receive, Scope, Send

from libra.model.webservice import Static
from libra.serving.answers import HARMLESS, READING, not_allowed, not_found
from libra.serving.conditions import asks_for_ranges, is_unchanged
from libra.serving.confinement import descriptor_path, open_below
from libra.serving.kinds import Kinds
from libra.serving.listing import render_listing, shown_path
from libra.serving.paths import Names, join_path, split_below

INDEXES = (b"index.html", b"index.htm")
TEMPORARY = 307
KEPT = ("etag", "last-modified", "cache-control", "content-location", "vary", "expires")


class StaticAnswer:
    """Waits for disks: not for a thread that others wait for. `within`: where a service may have its files at all."""

    def __init__(self, service: Static, within: Sequence[str]) -> None:
        self._service = service
        self._within = within
        self._kinds = Kinds(service.mime_types)

    def answer(self, request: Request) -> Response:
        """GET and HEAD, for its path and all below."""
        if request.method not in READING:
            return not_allowed()
        names = split_below(request.scope["raw_path"], self._service.path)
        if names is None:
            return not_found()
        return self._look(request, names) or self._default(request) or not_found()

    def _look(self, request: Request, names: Names) -> Response | None:
        handle = self._open(names)
        if handle is None:
            return None
        found = os.fstat(handle)
        if stat.S_ISDIR(found.st_mode):
            try:
                return self._directory(request, names, handle)
            finally:
                os.close(handle)
        if not stat.S_ISREG(found.st_mode) or names[-1:] == (b"",):
            os.close(handle)
            return None
        return self._file(request, names, handle, found)

    def _directory(self, request: Request, names: Names, handle: int) -> Response | None:
        path = names[:-1] if names[-1:] == (b"",) else names
        slashed = path != names or (not names and self._service.path == "/")
        response = None
        for index in INDEXES:
            response = response or self._regular(request, (*path, index))
        if response is None and self._service.listing:
            response = render_listing(handle, shown_path(path), is_top=not path)
        if response is None or slashed:
            return response
        if isinstance(response, OpenFileResponse):
            response.close()
        query = request.scope["query_string"].decode("latin-1")
        where = join_path(self._service.path, (*path, b""))
        return RedirectResponse(f"{where}?{query}" if query else where, TEMPORARY, HARMLESS)

    def _default(self, request: Request) -> Response | None:
        """For what is not there."""
        name = self._service.default_file
        if name is None:
            return None
        names = split_below(b"/" + os.fsencode(name).lstrip(b"/"), "/")
        return None if names is None else self._regular(request, names)

    def _regular(self, request: Request, names: Names) -> Response | None:
        handle = self._open(names)
        if handle is None:
            return None
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            os.close(handle)
            return None
        return self._file(request, names, handle, found)

    def _open(self, names: Names) -> int | None:
        return open_below(self._service.directory, self._within, names)

    def _file(self, request: Request, names: Names, handle: int, found: os.stat_result) -> Response:
        headers = dict(HARMLESS)
        if self._service.cache_seconds is not None:
            headers["cache-control"] = f"max-age={self._service.cache_seconds}, public"
        if encoding := self._kinds.encoding(names[-1]):
            headers["content-encoding"] = encoding
        response = OpenFileResponse(handle, found, self._kinds.kind(names[-1]), headers)
        if not is_unchanged(request.headers, response.headers):
            return response
        response.close()
        return Response(
            status_code=304,
            headers={name: response.headers[name] for name in KEPT if name in response.headers},
        )


class OpenFileResponse(FileResponse):
    """Of a file that is open already: another one may have its name by now. Closes it when it is sent."""

    def __init__(
        self, handle: int, found: os.stat_result, kind: str, headers: dict[str, str]
    ) -> None:
        super().__init__(
            descriptor_path(handle), headers=headers, media_type=kind, stat_result=found
        )
        self._handle: int | None = handle

    def close(self) -> None:
        """Where it is not to be sent."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Starlette's."""
        try:
            await super().__call__(_without_odd_ranges(scope), receive, _Exactly(send))
        except* _Enough:
            pass
        finally:
            self.close()


class _Enough(Exception):
    """All that was announced is sent."""


class _Exactly:
    """Sends as much as was announced of a file that grows meanwhile, perhaps faster than it is read."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._left = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            lengths = [value for name, value in message["headers"] if name == b"content-length"]
            self._left = int(lengths[0])
        elif message["type"] == "http.response.body":
            body = message.get("body", b"")[: self._left]
            self._left -= len(body)
            if message.get("more_body") and not self._left:
                await self._send({**message, "body": body, "more_body": False})
                raise _Enough
            message = {**message, "body": body}
        await self._send(message)


def _without_odd_ranges(scope: Scope) -> Scope:
    headers = [
        (name, value)
        for name, value in scope["headers"]
        if name != b"range" or asks_for_ranges(value.decode("latin-1"))
    ]
    return {**scope, "headers": headers}
