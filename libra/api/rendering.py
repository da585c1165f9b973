"""Answers are written in the thread that made them."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from fastapi import Response
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

_JSON = TypeAdapter(dict[str, Any])


class WrittenRoute(APIRoute):
    """FastAPI would hand each answer to another thread that checks it, which takes as long as the answer did.

    There is nothing to check: what an operation gives is said to be any object.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        status = options.get("status_code")
        super().__init__(path, _written(endpoint, status or 200), **options)


def _written(endpoint: Callable[..., Any], status: int) -> Callable[..., Any]:
    @wraps(endpoint)
    def write(**values: Any) -> Any:
        made = endpoint(**values)
        if isinstance(made, Response):
            return made
        return Response(_JSON.dump_json(made), status, media_type="application/json")

    return write
