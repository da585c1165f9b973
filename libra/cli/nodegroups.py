"""`libra node group`: groups of nodes, and how many of each must stay online."""

from typing import Annotated
from urllib.parse import quote

import typer

from libra.cli.exits import errors_as_exits
from libra.cli.rows import Format, show_one, show_rows
from libra.cli.verbs import (
    FieldsArgument,
    FormatOption,
    TokenOption,
    UrlOption,
    open_api,
    parse_fields,
)

app = typer.Typer(
    name="group",
    help="Groups of nodes, and how many of each must stay online.",
    no_args_is_help=True,
)
PATH = "/v1/nodegroups"
COLUMNS = ("name", "nodes", "online", "min_online", "created_at")
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A group's name.")]


@app.command("list")
def list_groups(
    context: typer.Context,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """List them, with how many nodes each has."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        show_rows(rest.call("GET", PATH)["nodegroups"], COLUMNS, output)


@app.command("set")
def change(
    context: typer.Context,
    name: NameArgument,
    fields: FieldsArgument = None,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Change min_online: a number, or null for one where it has more than one node."""
    body = parse_fields(fields)
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        show_one(rest.call("PUT", _url(name), body)["nodegroup"], output)


@app.command()
def remove(
    context: typer.Context,
    name: NameArgument,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Remove one without nodes."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        rest.call("DELETE", _url(name))


def _url(name: str) -> str:
    return f"{PATH}/{quote(name, safe='')}"
