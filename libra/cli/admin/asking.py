"""How an order is put to the API: with the reason why, and after a question to the person where much is at stake."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from libra.cli.exits import BAD_INPUT, fail
from libra.cli.overview.asking import JSON
from libra.cli.rows import Json

if TYPE_CHECKING:
    from libra.cli.rest import Rest

MOST_NAMES = 10
CommentOption = Annotated[
    str | None,
    typer.Option(
        "--comment",
        "-C",
        metavar="TEXT",
        help="Why: for the event. admin.require_comment wants it.",
    ),
]
YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask. Needed where there is no terminal.")
]

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only show which devices it would be.")
]


def order(rest: "Rest", method: str, path: str, comment: str | None, **params: str) -> Json:
    """Raises as `Rest.call`; `Refused.answer` has what became of each device."""
    given = params | ({} if comment is None else {"comment": comment})
    return rest.call_with(JSON, method, path, **given)


def confirm(question: str, *, yes: bool) -> None:
    """Ends the program unless the person at the terminal says yes."""
    if yes:
        return
    from libra.logs.lines import escape

    if not is_terminal():
        fail(f"cannot ask, for there is no terminal: {escape(question)} --yes says so", BAD_INPUT)
    if not typer.confirm(escape(question), err=True):
        fail("nothing was done", BAD_INPUT)


def is_terminal() -> bool:
    """Whether there is somebody who can be asked."""
    return sys.stdin.isatty()


def name_some(names: Sequence[str]) -> str:
    """The first of them, and how many there are beside."""
    shown = ", ".join(names[:MOST_NAMES])
    left = len(names) - MOST_NAMES
    return f"{shown} and {left} more" if left > 0 else shown
