"""Exit statuses, and how an error becomes one sentence on standard error."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from libra.errors import Invalid, JobError, LibraError

FAILED = 1  # the worker answered FAIL, or what was asked for could not be done
BAD_INPUT = 2  # as typer's own usage errors
API_SIDE = ("alembic", "cryptography", "fastapi", "prometheus_client", "sqlalchemy", "uvicorn")
NO_ANSWER = 3  # no job server, no worker, no reply in time, or a reply that is none
NOT_ALL = 4  # it is done, but for some that were skipped


@contextmanager
def errors_as_exits() -> Iterator[None]:
    """Every error that libra raises on purpose ends the program with a sentence, never with a traceback."""
    try:
        yield
    except Invalid as error:
        fail(str(error), BAD_INPUT)
    except JobError as error:
        fail(str(error), NO_ANSWER)
    except LibraError as error:
        fail(str(error), FAILED)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in API_SIDE:
            raise
        fail(f"{error.name} is missing: pip install 'libra[controller]'", FAILED)


def fail(text: str, status: int) -> NoReturn:
    """Print the text on standard error and end."""
    complain(f"libra: {text}")
    raise typer.Exit(status)


def complain(text: str) -> None:
    """Print lines on standard error; nothing in them can move the cursor."""
    from libra.logs.lines import cut, escape

    for line in text.splitlines():
        typer.echo(escape(cut(line)), err=True)
