"""Answers of the REST API for people and for programs."""

import json
from enum import Enum
from typing import Any

import typer

Json = dict[str, Any]


class Format(Enum):
    """How answers are shown."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def show_rows(rows: list[Json], columns: tuple[str, ...], output: Format) -> None:
    """A table, or the rows as they came."""
    if output is not Format.TABLE:
        _dump(rows, output)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        whole = {"no_wrap": True, "min_width": 36} if name == "id" and "at" not in columns else {}
        table.add_column(name.replace("_", " "), overflow="fold", **whole)  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in columns))
    Console().print(table)


def show_one(shown: Json, output: Format) -> None:
    """A line a field."""
    if output is not Format.TABLE:
        _dump(shown, output)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in shown.items():
        table.add_row(name, _cell(value))
    Console().print(table)


def _cell(value: object) -> Any:
    from rich.text import Text

    from libra.logs.lines import escape

    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return Text(escape(text))


def _dump(value: Any, output: Format) -> None:
    if output is Format.JSON:
        typer.echo(json.dumps(value, indent=2))
        return
    import yaml

    typer.echo(yaml.safe_dump(value, sort_keys=False).rstrip())
