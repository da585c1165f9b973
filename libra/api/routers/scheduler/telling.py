"""Answers: a text for people, the same as JSON for programs."""

from collections.abc import Callable
from typing import Any

from fastapi import Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import TypeAdapter

from libra.api.errors import wants_text

_JSON: TypeAdapter[Any] = TypeAdapter(Any)


def tell(request: Request, text: str, shown: object, status: int = 200) -> Response:
    """A text ends with one line's end; times and enums in `shown` are written as JSON has them."""
    return tell_lazily(request, lambda: text, lambda: shown, status)


def tell_lazily(
    request: Request, text: Callable[[], str], shown: Callable[[], object], status: int = 200
) -> Response:
    """Makes only what is asked for, where there may be much of it."""
    if wants_text(request):
        made = text().rstrip("\n")
        return PlainTextResponse(f"{made}\n" if made else "", status)
    return Response(_JSON.dump_json(shown()), status, media_type="application/json")
