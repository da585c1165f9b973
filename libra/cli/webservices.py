"""`libra webcluster service`: what a web cluster answers on its paths."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from libra.cli.exits import errors_as_exits
from libra.cli.rows import Format, Json, show_one, show_rows
from libra.cli.verbs import (
    FieldsArgument,
    FormatOption,
    TokenOption,
    UrlOption,
    open_api,
    parse_fields,
)
from libra.errors import Invalid

if TYPE_CHECKING:
    from libra.cli.rest import Rest

app = typer.Typer(
    name="service",
    help="What a web cluster answers on its paths; changed while it runs.",
    no_args_is_help=True,
)
COLUMNS = ("path", "type", "oid", "label")
TYPES = "path, redirect, json, nodeinfo, static, reverseproxy or websocket-reverseproxy"
ClusterArgument = Annotated[
    str, typer.Argument(metavar="CLUSTER", help="A web cluster's name or id.")
]
PathArgument = Annotated[
    str, typer.Argument(metavar="PATH", help="Such as /shop, or / for all that no other is for.")
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="A JSON object with fields, also nested ones."),
]


@app.command()
def add(
    context: typer.Context,
    cluster: ClusterArgument,
    path: PathArgument,
    kind: Annotated[str | None, typer.Argument(metavar="TYPE", help=f"{TYPES}.")] = None,
    fields: FieldsArgument = None,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Answer on a path: static directory=/srv/www, redirect url=/shop, json value='[1, 2]', ..."""
    given = parse_fields(fields)
    with errors_as_exits():
        body: Json = {**_read(config), **given, "path": path}
        if kind is not None:
            body["type"] = kind
        rest = open_api(context, api_url, token_file)
        show_one(rest.call("POST", _url(cluster), body)["service"], output)


@app.command("set")
def change(
    context: typer.Context,
    cluster: ClusterArgument,
    path: PathArgument,
    fields: FieldsArgument = None,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Change fields; path=/new moves it, null takes a field away."""
    given = parse_fields(fields)
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        url = _url(cluster, _find(rest, cluster, path)["oid"])
        show_one(rest.call("PATCH", url, {**_read(config), **given})["service"], output)


@app.command()
def remove(
    context: typer.Context,
    cluster: ClusterArgument,
    path: PathArgument,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Answer there no more."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        rest.call("DELETE", _url(cluster, _find(rest, cluster, path)["oid"]))


@app.command()
def show(
    context: typer.Context,
    cluster: ClusterArgument,
    path: PathArgument,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Show the one on exactly this path."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        show_one(_find(rest, cluster, path), output)


@app.command("list")
def list_services(
    context: typer.Context,
    cluster: ClusterArgument,
    prefix: Annotated[
        str | None, typer.Option("--prefix", metavar="PATH", help="Only there and below it.")
    ] = None,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """List them by path."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        wanted = {"prefix": prefix} if prefix else {}
        rows = rest.call("GET", _url(cluster), details="true", **wanted)["services"]
        show_rows(rows, COLUMNS, output)


def _find(rest: "Rest", cluster: str, path: str) -> Json:
    where = quote(path, safe="")
    found: Json = rest.call("GET", f"{_url(cluster)}/by-path?path={where}")["service"]
    return found


def _url(cluster: str, oid: str | None = None) -> str:
    base = f"/v1/webclusters/{quote(cluster, safe='')}/services"
    return base if oid is None else f"{base}/{oid}"


def _read(config: Path | None) -> Json:
    """Raises `Invalid`."""
    if config is None:
        return {}
    try:
        given = json.loads(config.read_text())
    except OSError as error:
        raise Invalid(f"cannot read {config}: {error.strerror}") from None
    except ValueError:
        raise Invalid(f"cannot use {config}: it is no JSON") from None
    if not isinstance(given, dict):
        raise Invalid(f"cannot use {config}: it must be a JSON object")
    return given
