"""`libra node`: nodes that are taken out of service and brought back, and their groups."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from libra.cli.exits import FAILED, errors_as_exits, fail
from libra.cli.rows import Format, Json, show_one, show_rows
from libra.cli.verbs import (
    POLL_SECONDS,
    FieldsArgument,
    FormatOption,
    TimeoutOption,
    TokenOption,
    UrlOption,
    open_api,
    parse_fields,
)

if TYPE_CHECKING:
    from libra.cli.rest import Rest

app = typer.Typer(
    name="node",
    help="Nodes that are taken out of service and brought back, and their groups.",
    no_args_is_help=True,
)
PATH = "/v1/nodes"
COLUMNS = ("name", "group", "address", "port", "status", "author", "since", "reason")
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A node's name.")]
NamesArgument = Annotated[
    list[str], typer.Argument(metavar="NAME...", help="Nodes; all of them are marked, or none.")
]
WaitOption = Annotated[
    bool, typer.Option("--wait", "-w", help="Return once every device has done it.")
]
ForceOption = Annotated[
    bool,
    typer.Option(
        "--force", help="Even if too few of their group, or none of a pool, take traffic."
    ),
]


@app.command("list")
def list_nodes(
    context: typer.Context,
    group: Annotated[str | None, typer.Option("--group", help="Only those of it.")] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="Only those that are online, or offline.")
    ] = None,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """List them, by name."""
    given = {"group": group, "status": status}
    wanted = {name: value for name, value in given.items() if value is not None}
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        show_rows(list(_every(rest, wanted)), COLUMNS, output)


def _every(rest: "Rest", wanted: dict[str, str]) -> Iterable[Json]:
    """Page by page."""
    page: list[Json] = rest.call("GET", PATH, **wanted)["nodes"]
    while page:
        yield from page
        page = rest.call("GET", PATH, **wanted, marker=page[-1]["name"])["nodes"]


@app.command()
def show(
    context: typer.Context,
    name: NameArgument,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Show one, with the sessions that the whole fleet has there now."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        show_one(rest.call("GET", _url(name))["node"], output)


@app.command()
def add(
    context: typer.Context,
    name: NameArgument,
    fields: FieldsArgument = None,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Add one, online: fields are group, address and port. Members at its address are drained with it."""
    body = {"name": name, **parse_fields(fields)}
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        show_one(rest.call("POST", PATH, body)["node"], output)


@app.command("set")
def change(
    context: typer.Context,
    name: NameArgument,
    fields: FieldsArgument = None,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Change its group, address or port."""
    body = parse_fields(fields)
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        show_one(rest.call("PUT", _url(name), body)["node"], output)


@app.command()
def remove(
    context: typer.Context,
    name: NameArgument,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Remove one, and its mark: what was drained with it serves again."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        rest.call("DELETE", _url(name))


@app.command()
def offline(
    context: typer.Context,
    names: NamesArgument,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why, for who looks at it.")
    ] = None,
    seconds: Annotated[
        int | None,
        typer.Option("--for", metavar="SECONDS", min=1, help="Back online after that long."),
    ] = None,
    force: ForceOption = False,
    wait: WaitOption = False,
    timeout: TimeoutOption = 120.0,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Take nodes out of service: nothing new is sent there, from now on.

    With --wait until no session is left; exit status 1 where some still are then.
    """
    given = {"reason": reason, "expires_in": seconds, "force": force}
    more = {name: value for name, value in given.items() if value is not None}
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        _mark(rest, names, "offline", more)
        rows = _await(rest, names, "drained", timeout if wait else None)
        show_rows(rows, COLUMNS, output)


@app.command()
def online(
    context: typer.Context,
    names: NamesArgument,
    wait: WaitOption = False,
    timeout: TimeoutOption = 120.0,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Bring nodes back into service, each once its health check has passed.

    With --wait until every device sends something there; exit status 1 where one does not by then.
    """
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        _mark(rest, names, "online", {})
        rows = _await(rest, names, "takes_traffic", timeout if wait else None)
        show_rows(rows, COLUMNS, output)


def _mark(rest: "Rest", names: list[str], status: str, more: Json) -> None:
    rest.call("POST", f"{PATH}/status", {"names": names, "status": status, **more})


def _await(rest: "Rest", names: list[str], wanted: str, timeout: float | None) -> list[Json]:
    """The nodes, once that holds for the sessions of all; at once without a timeout."""
    if timeout is None:
        return [rest.call("GET", _url(name), sessions="false")["node"] for name in names]
    from rich.console import Console

    deadline = time.monotonic() + timeout
    with Console(stderr=True).status("") as status:
        while True:
            rows = [rest.call("GET", _url(name))["node"] for name in names]
            late = [row for row in rows if not row["sessions"][wanted]]
            if not late:
                return rows
            told = ", ".join(f"{row['name']}: {_tell(row['sessions'])}" for row in late)
            status.update(told)
            if time.monotonic() > deadline:
                fail(f"not yet done: {told}", FAILED)
            time.sleep(POLL_SECONDS)


def _tell(sessions: Json) -> str:
    """ "3 sessions, nothing heard of web2"."""
    silent = f", nothing heard of {' '.join(sessions['silent'])}" if sessions["silent"] else ""
    return f"{sessions['total']} sessions{silent}"


def _url(name: str) -> str:
    return f"{PATH}/{quote(name, safe='')}"
