"""From errors to answers: one table, one body."""

import re
import traceback
from collections.abc import Callable, Mapping
from http import HTTPStatus

import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

from libra import errors
from libra.messages.fields import quoted

log = structlog.get_logger(__name__)

STATUSES: tuple[tuple[type[errors.LibraError], int], ...] = (
    (errors.Invalid, 400),
    (errors.NotFound, 404),
    (errors.AlreadyExists, 409),
    (errors.Conflict, 409),
    (errors.Forbidden, 403),
    (errors.NotImplementedHere, 501),
    (errors.PoolExhausted, 503),
    (errors.StorageUnavailable, 503),
    (errors.JobServerUnavailable, 503),
    (errors.JobDeadlinePassed, 504),
    (errors.JobError, 502),
    (errors.ObjectStoreError, 502),
)
MOST_FAULTS = 5
METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
"""All that any route here has."""
_ENVELOPES = frozenset(
    ("loadbalancer", "listener", "pool", "member", "healthmonitor", "quota", "l7policy", "rule")
)
_NO_OBJECT = ("missing", "model_attributes_type", "model_type", "dict_type")
_PLAIN = re.compile(r"[A-Za-z0-9_.]{1,255}")


Refuse = Callable[[int, str, Mapping[str, str] | None], Response]
"""A status, a sentence and headers as an answer. `app.state.refusals` has them by the prefix of the paths that have one
of their own.
"""


class Unauthorized(Exception):
    """No credentials, or none that are known."""


def status_of(error: errors.LibraError) -> int:
    """The first kind in the table that it is of; 500 for the others."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 500)


def build_fault(
    status: int, text: str, headers: dict[str, str] | None = None, *, titled: bool = False
) -> JSONResponse:
    """The body that Octavia's clients show; `titled` with what its framework says of faults that are its own."""
    code = "Client" if status < 500 else "Server"
    body: dict[str, object] = {"faultcode": code, "faultstring": text, "debuginfo": None}
    if titled:
        body |= {"code": status, "title": HTTPStatus(status).phrase, "description": text}
    return JSONResponse(body, status_code=status, headers=headers)


def _answer(
    request: Request,
    status: int,
    text: str,
    headers: dict[str, str] | None = None,
    *,
    titled: bool = False,
) -> Response:
    """As `build_refusal`."""
    return build_refusal(request.scope, status, text, headers, titled=titled)


def build_refusal(
    scope: Scope,
    status: int,
    text: str,
    headers: dict[str, str] | None = None,
    *,
    titled: bool = False,
) -> Response:
    """As `build_fault`; the sentence alone for who reads texts, a page where there are pages."""
    for prefix, refuse in scope["app"].state.refusals.items():
        if scope["path"].startswith(prefix):
            told: Response = refuse(status, text, headers)
            return told
    if scope["state"].get("text", False):
        return PlainTextResponse(f"{text}\n", status, headers)
    return build_fault(status, text, headers, titled=titled)


def wants_text(request: Request) -> bool:
    """Of the scheduler's paths the most."""
    return bool(getattr(request.state, "text", False))


def answer_libra_error(request: Request, error: Exception) -> Response:
    """A sentence, and nothing else."""
    assert isinstance(error, errors.LibraError)
    status = status_of(error)
    if status >= 500 and status != 501:
        log.warning("request failed", action="answer", error=str(error))
    return _answer(request, status, str(error))


def answer_invalid(request: Request, error: Exception) -> Response:
    """What pydantic found, without the values: among them may be a key."""
    assert isinstance(error, RequestValidationError)
    faults = [_explain(item) for item in error.errors()[:MOST_FAULTS]]
    return _answer(request, 400, f"Validation failure: {'; '.join(faults)}")


def _explain(fault: dict[str, object]) -> str:
    location = fault.get("loc", ())
    path = [str(part) for part in (location if isinstance(location, tuple) else ())]
    if path[:1] in (["body"], ["query"], ["path"]):
        path = path[1:]
    if len(path) > 1 and path[0] in _ENVELOPES:
        path = path[1:]
    where = ".".join(path)
    if location == ("body",) and fault.get("type") in _NO_OBJECT:
        return "the body must be a JSON object, and its Content-Type application/json"
    if fault.get("type") == "extra_forbidden":
        return f"Unknown attribute for argument: {quoted(where)}"
    text = str(fault.get("msg", "")).removeprefix("Value error, ")
    if not where:  # fields that do not go together
        return text
    name = where if _PLAIN.fullmatch(where) else quoted(where)
    return f"Invalid input for field/attribute {name}: {text}"


def answer_http(request: Request, error: Exception) -> Response:
    """Unknown paths and methods."""
    assert isinstance(error, HTTPException)
    texts = {404: "there is no such resource", 405: f"{request.method} is not allowed here"}
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_allowed(request))
    text = texts.get(error.status_code, str(error.detail))
    return _answer(request, error.status_code, text, headers, titled=True)


def _allowed(request: Request) -> list[str]:
    """By asking all routes, for Starlette names the methods of the first one with this path only."""
    scopes = {name: {**request.scope, "method": name} for name in METHODS}
    routes = request.app.routes
    found = [
        name
        for name, scope in scopes.items()
        if any(route.matches(scope)[0] is Match.FULL for route in routes)
    ]
    return [*found, "HEAD"] if "GET" in found and hasattr(request.state, "text") else found


def answer_unauthorized(request: Request, error: Exception) -> Response:
    """As an identity service in front of the API would."""
    headers = {"WWW-Authenticate": 'Basic realm="libra"'}
    if wants_text(request):
        return _answer(request, 401, str(error), headers)
    body = {"error": {"code": 401, "title": "Unauthorized", "message": str(error)}}
    return JSONResponse(body, 401, headers=headers)


def answer_bug(request: Request, error: Exception) -> Response:
    """The log has the rest."""
    # Not exc_info: some formatters print local variables, and there are tokens.
    text = "".join(traceback.format_exception(error))
    log.error("internal error", action="answer", traceback=text)
    return _answer(request, 500, "internal error; the controller's log has the details")
