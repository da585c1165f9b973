"""The web service `json`: one value, on exactly its path."""

import re
from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response

from libra.model.webservice import Json
from libra.serving.answers import HARMLESS, NO_STORE, READING, not_allowed, not_found
from libra.serving.paths import is_exactly

ASKING = (*READING, "OPTIONS")
PREFLIGHT_SECONDS = 600
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[A-Za-z0-9._:\[\]-]+")
_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+')


class JsonAnswer:
    """Its body is made once."""

    def __init__(self, service: Json) -> None:
        self._service = service
        self._body = (prettify(service.text) if service.prettify else service.text).encode()
        self._methods = ASKING if service.allow_cross_origin else READING

    def answer(self, request: Request) -> Response:
        """For any method; other paths, also below its own, are not found."""
        if not is_exactly(request.scope["raw_path"], self._service.path):
            return not_found()
        if request.method not in self._methods:
            return self._shared(request, not_allowed(self._methods))
        if request.method == "OPTIONS":
            return self._shared(request, self._preflight(request))
        headers = dict(HARMLESS)
        if self._service.discourage_caching:
            headers["cache-control"] = NO_STORE
        response = Response(self._body, media_type="application/json", headers=headers)
        return self._shared(request, response)

    def _shared(self, request: Request, response: Response) -> Response:
        """Pages of any origin may read it, where the service says so."""
        if not self._service.allow_cross_origin:
            return response
        origin = request.headers.get("origin", "")
        known = _ORIGIN.fullmatch(origin) is not None
        response.headers["access-control-allow-origin"] = origin if known else "*"
        if known:
            response.headers["access-control-allow-credentials"] = "true"
        response.headers.add_vary_header("Origin")
        return response

    def _preflight(self, request: Request) -> Response:
        """A browser's question before a request that is not a plain one."""
        response = Response(status_code=204, headers={"allow": ", ".join(self._methods)})
        if "access-control-request-method" in request.headers:
            response.headers["access-control-allow-methods"] = ", ".join(READING)
            response.headers["access-control-max-age"] = str(PREFLIGHT_SECONDS)
            response.headers.add_vary_header("Access-Control-Request-Headers")
            names = request.headers.get("access-control-request-headers", "")
            if _NAMES.fullmatch(names):
                response.headers["access-control-allow-headers"] = names
        return response


def prettify(text: str) -> str:
    """JSON with a line an item, two blanks a level; numbers and texts stay as they are written, however deep it is."""
    return "".join(_indent(text)) + "\n"


def _indent(text: str) -> Iterator[str]:
    level, before = 0, ""
    for word in _WORD.findall(text):
        closes, is_first = word in ("]", "}"), before in ("[", "{")
        level += is_first - closes
        if before and (closes != is_first or before == ","):
            yield "\n" + "  " * level
        yield f"{word} " if word == ":" else word
        before = word
