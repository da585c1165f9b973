"""`libra webcluster node`: the devices that serve a web cluster, or stand by."""

from typing import Annotated
from urllib.parse import quote

import typer

from libra.cli.exits import errors_as_exits
from libra.cli.rows import Format, Json, show_one, show_rows
from libra.cli.verbs import FormatOption, TokenOption, UrlOption, open_api

app = typer.Typer(
    name="node",
    help="The devices of a web cluster: those that serve it, and those that stand by.",
    no_args_is_help=True,
)
COLUMNS = (
    *("name", "status", "standby", "active", "answers", "parallel", "revision"),
    *("confirmed_revision", "refused"),
)
ClusterArgument = Annotated[
    str, typer.Argument(metavar="CLUSTER", help="A web cluster's name or id.")
]
NodeArgument = Annotated[str, typer.Argument(metavar="DEVICE", help="A device's name or id.")]


@app.command()
def add(
    context: typer.Context,
    cluster: ClusterArgument,
    node: NodeArgument,
    parallel: Annotated[
        int | None,
        typer.Option("--parallel", min=0, max=64, help="Threads of its proxy. Default: all."),
    ] = None,
    standby: Annotated[
        bool,
        typer.Option("--standby", help="Load it, and serve only in place of one that fails."),
    ] = False,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Have a device serve it; one that does already is given these values."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        body: Json = {"node": node, "parallel": parallel, "standby": standby}
        show_one(rest.call("POST", _url(cluster), body)["node"], output)


@app.command()
def remove(
    context: typer.Context,
    cluster: ClusterArgument,
    node: NodeArgument,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Have a device let go of it."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        rest.call("DELETE", _url(cluster, node))


@app.command()
def show(
    context: typer.Context,
    cluster: ClusterArgument,
    node: NodeArgument,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Show how a device does there."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        show_one(rest.call("GET", _url(cluster, node))["node"], output)


@app.command("list")
def list_nodes(
    context: typer.Context,
    cluster: ClusterArgument,
    status: Annotated[
        str | None, typer.Option("--status", help="Only those that are online, or offline.")
    ] = None,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """List them, with what each has and whether it answers."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        wanted = {"filter_by_status": status} if status else {}
        rows = rest.call("GET", _url(cluster), details="true", **wanted)["nodes"]
        show_rows(rows, COLUMNS, output)


def _url(cluster: str, node: str | None = None) -> str:
    base = f"/v1/webclusters/{quote(cluster, safe='')}/nodes"
    return base if node is None else f"{base}/{quote(node, safe='')}"
