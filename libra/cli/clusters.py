"""`libra cluster`: the groups of hosts, as Cinder's `cinder cluster-list` and its like show and switch them."""

from typing import TYPE_CHECKING, Annotated

import typer

from libra.cli.exits import errors_as_exits
from libra.cli.rows import Format, Json, show_one, show_rows
from libra.cli.verbs import FormatOption, TokenOption, UrlOption, open_api

if TYPE_CHECKING:
    from libra.cli.rest import Rest

app = typer.Typer(
    name="cluster",
    help="Groups of hosts: whether they are alive, and whether something new is placed there.",
    no_args_is_help=True,
)
PATH = "/v3/clusters"
HEADERS = {"OpenStack-API-Version": "volume 3.71"}
COLUMNS = (
    *("name", "state", "status", "num_hosts", "num_down_hosts", "last_heartbeat"),
    "disabled_reason",
)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Of a device pool.")]


@app.command("list")
def list_clusters(
    context: typer.Context,
    down: Annotated[bool, typer.Option("--down", help="Only those that are down.")] = False,
    disabled: Annotated[bool, typer.Option("--disabled", help="Only those disabled.")] = False,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """List them, with how many hosts are up and down."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        wanted = {"is_up": "false"} if down else {}
        wanted |= {"disabled": "true"} if disabled else {}
        rows = rest.call_with(HEADERS, "GET", f"{PATH}/detail", **wanted)["clusters"]
        show_rows(rows, COLUMNS, output)


@app.command()
def show(
    context: typer.Context,
    name: NameArgument,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Show one."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        show_one(_find(rest, name), output)


@app.command()
def enable(
    context: typer.Context,
    name: NameArgument,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Let new load balancers be placed there again."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        show_one(
            rest.call_with(HEADERS, "PUT", f"{PATH}/enable", {"name": name})["cluster"], output
        )


@app.command()
def disable(
    context: typer.Context,
    name: NameArgument,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why, for who looks at it.")
    ] = None,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Place nothing new there; what runs there runs on, and may move between its hosts."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        body: Json = {"name": name} | ({"disabled_reason": reason} if reason else {})
        show_one(rest.call_with(HEADERS, "PUT", f"{PATH}/disable", body)["cluster"], output)


def _find(rest: "Rest", name: str) -> Json:
    from urllib.parse import quote

    found: Json = rest.call_with(HEADERS, "GET", f"{PATH}/{quote(name, safe='')}")["cluster"]
    return found
