"""`libra admin aliases` and `limits`: names for several pools, and how many devices a project may have."""

import typer

from libra.cli.admin.asking import CommentOption, order
from libra.cli.exits import errors_as_exits
from libra.cli.overview.asking import JSON
from libra.cli.rows import Format, Json, dump, show_rows
from libra.cli.verbs import FormatOption, TokenOption, UrlOption, open_api

MAPS = (
    ("aliases", "/cloud-aliases", ("alias", "pools"), "Names that stand for device pools."),
    ("limits", "/user-limits", ("project", "devices"), "How many devices a project may have."),
)


def build_map_groups() -> list[typer.Typer]:
    """One each."""
    return [_build(*item) for item in MAPS]


def _build(name: str, path: str, columns: tuple[str, str], text: str) -> typer.Typer:
    group = typer.Typer(name=name, help=text, no_args_is_help=True)
    _add_list(group, path, columns)
    _add_reload(group, path, columns)
    return group


def _add_list(group: typer.Typer, path: str, columns: tuple[str, str]) -> None:
    @group.command("list", help="What holds now.")
    def run(
        context: typer.Context,
        output: FormatOption = Format.TABLE,
        api_url: UrlOption = None,
        token_file: TokenOption = None,
    ) -> None:
        with errors_as_exits():
            rest = open_api(context, api_url, token_file)
            _show(rest.call_with(JSON, "GET", path), columns, output)


def _add_reload(group: typer.Typer, path: str, columns: tuple[str, str]) -> None:
    @group.command("reload", help="Read the file again; a bad one changes nothing.")
    def run(
        context: typer.Context,
        comment: CommentOption = None,
        output: FormatOption = Format.TABLE,
        api_url: UrlOption = None,
        token_file: TokenOption = None,
    ) -> None:
        with errors_as_exits():
            rest = open_api(context, api_url, token_file)
            _show(order(rest, "POST", path, comment), columns, output)


def _show(answer: Json, columns: tuple[str, str], output: Format) -> None:
    if output is not Format.TABLE:
        dump(answer, output)
        return
    rows = [
        dict(zip(columns, (name, _words(value)), strict=True)) for name, value in answer.items()
    ]
    if rows:
        show_rows(rows, columns, output)
    else:
        typer.echo("none")


def _words(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "no limit" if value == -1 else str(value)
