"""Answers: a text for people, the same as JSON for programs."""

from typing import Any

from fastapi import Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import TypeAdapter

from libra.api.errors import wants_text

_JSON: TypeAdapter[Any] = TypeAdapter(Any)


def tell(request: Request, text: str, shown: object, status: int = 200) -> Response:
    """The text ends with one line's end; times and enums in `shown` are written as JSON has them."""
    if wants_text(request):
        return PlainTextResponse(f"{text.rstrip(chr(10))}\n", status)
    return Response(_JSON.dump_json(shown), status, media_type="application/json")


def is_text(request: Request) -> bool:
    """To make only what is asked for, where that costs."""
    return wants_text(request)
