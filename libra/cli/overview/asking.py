"""How a question is put to the API, and in which of four ways its answer is shown."""

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import parse_qsl

import typer

from libra.cli.exits import errors_as_exits
from libra.cli.rows import Format, Json, dump
from libra.cli.verbs import TokenOption, UrlOption, open_api
from libra.errors import LibraError

JSON = {"Accept": "application/json"}
Render = Callable[[Json], None]


class View(Enum):
    """How answers are shown; `text` as curl shows them, in the columns of cloud_status."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    TEXT = "text"


ViewOption = Annotated[View, typer.Option("--output", "-o", case_sensitive=False)]


def ask(
    context: typer.Context,
    path: str,
    render: Render,
    view: View,
    api_url: str | None,
    token_file: Path | None,
    **params: str,
) -> None:
    """One GET, shown."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        if view is View.TEXT:
            show_text(rest.read_text(path, **params))
            return
        show(rest.call_with(JSON, "GET", path, **params), render, view)


def show(answer: Json, render: Render, view: View) -> None:
    """As a table, or as it came. Raises `LibraError` for an answer of another kind of server, or of another release."""
    if view is not View.TABLE:
        dump(answer, Format(view.value))
        return
    try:
        render(answer)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise LibraError(
            f"cannot show the answer ({type(error).__name__}): it is not as this release knows it; -o json shows it"
        ) from error


def show_text(text: str) -> None:
    """What came from elsewhere moves no cursor."""
    from libra.logs.lines import escape

    for line in text.splitlines():
        typer.echo(escape(line))


class Question(NamedTuple):
    """A command without arguments; `url` is what it asks for."""

    verb: str
    url: str
    render: Render
    help: str


def add_question(group: typer.Typer, question: Question) -> None:
    """A command."""

    @group.command(question.verb, help=question.help)
    def run(
        context: typer.Context,
        output: ViewOption = View.TABLE,
        api_url: UrlOption = None,
        token_file: TokenOption = None,
    ) -> None:
        path, _, query = question.url.partition("?")
        params = dict(parse_qsl(query))
        ask(context, path, question.render, output, api_url, token_file, **params)
