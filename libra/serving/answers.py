"""What all answers have in common."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from starlette.responses import PlainTextResponse, Response

READING = ("GET", "HEAD")
HARMLESS = {"x-content-type-options": "nosniff"}
NO_STORE = "no-store, no-cache, must-revalidate, max-age=0"


def refuse(status: HTTPStatus, headers: Mapping[str, str] | None = None) -> Response:
    """The status in words, and nothing of the device."""
    text = f"{status.value} {status.phrase}\n"
    return PlainTextResponse(text, status.value, headers={**HARMLESS, **(headers or {})})


def not_found() -> Response:
    """404."""
    return refuse(HTTPStatus.NOT_FOUND)


def not_allowed(methods: Sequence[str] = READING) -> Response:
    """405, with those that are."""
    return refuse(HTTPStatus.METHOD_NOT_ALLOWED, {"allow": ", ".join(methods)})
