"""Routes whose errors say, beside our usual body, what they are by the names of the web clusters' contract."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from libra import errors
from libra.api.errors import answer_invalid, answer_libra_error
from libra.api.rendering import WrittenRoute

NAMES: tuple[tuple[type[errors.LibraError], str], ...] = (
    (errors.InvalidConfiguration, "invalid_configuration"),
    (errors.Invalid, "invalid_argument"),
    (errors.NotFound, "no_such_object"),
    (errors.AlreadyExists, "already_exists"),
    (errors.NotStopped, "not_stopped"),
    (errors.CannotStart, "cannot_start"),
    (errors.CannotStop, "cannot_stop"),
    (errors.Conflict, "invalid_argument"),
    (errors.Forbidden, "not_authorized"),
)
CONFIGURATIONS = ("WebClusterBody", "WebClusterChange")
"""Bodies that are a whole configuration, rather than an argument."""


def name_of(error: errors.LibraError) -> str | None:
    """The first kind in the table that it is of; None where the contract has no name for it."""
    return next((name for kind, name in NAMES if isinstance(error, kind)), None)


class NamedFaults(WrittenRoute):
    """As `WrittenRoute`, with `error` in the body of a refusal."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What FastAPI calls."""
        handle = super().get_route_handler()
        body = self.body_field
        kind = getattr(body.field_info.annotation, "__name__", "") if body else ""
        wrong = "invalid_configuration" if kind in CONFIGURATIONS else "invalid_argument"

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except errors.LibraError as error:
                return _named(answer_libra_error(request, error), name_of(error))
            except RequestValidationError as error:
                return _named(answer_invalid(request, error), wrong)

        return answer


def _named(answer: Response, name: str | None) -> Response:
    import json

    if name is None:
        return answer
    body = {**json.loads(bytes(answer.body)), "error": name}
    return JSONResponse(body, answer.status_code)
