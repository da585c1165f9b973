"""`libra webcluster`: several devices that serve one endpoint together, their orders, nodes and services."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from libra.cli import webnodes, webservices
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
from libra.errors import Invalid

if TYPE_CHECKING:
    from libra.cli.rest import Rest

EPILOG = """\
[bold]From nothing to a cluster that serves[/bold]

libra webcluster create shop tcp_port=8080

libra webcluster node add shop web1 [dim]# a name of `libra device list`; and web2, and --standby web3[/dim]

libra webcluster service add shop / static directory=/srv/www

libra webcluster service add shop /api reverseproxy host=10.0.0.5 port=8000

libra webcluster start shop --wait

[dim]doc/how-to/webclusters.md has every field and every type of service.[/dim]
"""
app = typer.Typer(
    name="webcluster",
    help="Web clusters: several devices that serve one endpoint together.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.add_typer(webnodes.app, name="node")
app.add_typer(webservices.app, name="service")
PATH = "/v1/webclusters"
COLUMNS = (
    *("name", "status", "tcp_port", "revision", "good_revision", "disabled"),
    *("reason", "disabled_reason"),
)
ORDERS = {
    "start": ("Have its nodes serve it.", ("RUNNING",)),
    "stop": ("Have its nodes let go of it.", ("STOPPED",)),
    "pause": ("Leave its nodes as they are: they serve on, nobody looks after them.", ("PAUSED",)),
    "resume": ("Look after a paused one again.", ("RUNNING",)),
    "restart": ("Tell every node anew, one after the other.", ("RUNNING",)),
}
NameArgument = Annotated[str, typer.Argument(metavar="CLUSTER", help="A web cluster's name or id.")]
CertificateOption = Annotated[
    Path | None,
    typer.Option("--certificate", metavar="FILE", help="PEM: tls_certificate, without its chain."),
]
KeyOption = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help="PEM: tls_key. It is never shown.")
]
ChainOption = Annotated[
    Path | None, typer.Option("--chain", metavar="FILE", help="PEM: tls_chain_certificates.")
]
ClientCaOption = Annotated[
    Path | None,
    typer.Option("--client-ca", metavar="FILE", help="PEM: tls_ca_certificates, for clients."),
]


@app.command("list")
def list_webclusters(
    context: typer.Context,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """List them, with their states."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        show_rows(rest.call("GET", PATH, details="true")["webclusters"], COLUMNS, output)


@app.command()
def show(
    context: typer.Context,
    name: NameArgument,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Show one, with every field."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        show_one(rest.call("GET", url_of(name))["webcluster"], output)


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="3 to 64 of a-z, 0-9 and _, a letter first.")],
    fields: FieldsArgument = None,
    certificate: CertificateOption = None,
    key: KeyOption = None,
    chain: ChainOption = None,
    client_ca: ClientCaOption = None,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Make a new one, stopped and empty: tcp_port=8080, http_hsts=true, ..."""
    given = {**parse_fields(fields), "name": name}
    with errors_as_exits():
        given |= read_pem(certificate, key, chain, client_ca)
        rest = open_api(context, api_url, token_file)
        show_one(rest.call("POST", PATH, given)["webcluster"], output)


@app.command("set")
def change(
    context: typer.Context,
    name: NameArgument,
    fields: FieldsArgument = None,
    certificate: CertificateOption = None,
    key: KeyOption = None,
    chain: ChainOption = None,
    client_ca: ClientCaOption = None,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Change fields, also while it runs: on every node or on none; null means the default."""
    given = parse_fields(fields)
    with errors_as_exits():
        given |= read_pem(certificate, key, chain, client_ca)
        rest = open_api(context, api_url, token_file)
        show_one(rest.call("PATCH", url_of(name), given)["webcluster"], output)


@app.command()
def delete(
    context: typer.Context,
    name: NameArgument,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Delete a stopped one, with its services."""
    with errors_as_exits():
        open_api(context, api_url, token_file).call("DELETE", url_of(name))


def _add_order(order: str, text: str, ends: tuple[str, ...]) -> None:
    @app.command(order, help=text)
    def run(
        context: typer.Context,
        name: NameArgument,
        wait: Annotated[
            bool, typer.Option("--wait", "-w", help=f"Return once it is {' or '.join(ends)}.")
        ] = False,
        timeout: TimeoutOption = 120.0,
        output: FormatOption = Format.TABLE,
        api_url: UrlOption = None,
        token_file: TokenOption = None,
    ) -> None:
        with errors_as_exits():
            rest = open_api(context, api_url, token_file)
            ordered: Json = rest.call("POST", f"{url_of(name)}/{order}")["webcluster"]
            if wait:
                ordered = _await(rest, ordered["oid"], ends, timeout)
            show_one(ordered, output)


for _order, (_text, _ends) in ORDERS.items():
    _add_order(_order, _text, _ends)


def _await(rest: "Rest", oid: str, ends: tuple[str, ...], timeout: float) -> Json:
    """With a sign of life for people. An ERROR stays one until somebody does something: it is not waited out."""
    from rich.console import Console

    deadline = time.monotonic() + timeout
    with Console(stderr=True).status("") as status:
        while True:
            cluster: Json = rest.call("GET", url_of(oid))["webcluster"]
            if cluster["status"] in ends:
                return cluster
            why = f": {cluster['reason']}" if cluster["reason"] else ""
            failed = cluster["status"] == "ERROR"
            still = "" if failed else "still "
            said = f"the web cluster {cluster['name']} is {still}{cluster['status']}{why}"
            status.update(said)
            if failed or time.monotonic() > deadline:
                fail(f"{said}; `libra webcluster node list {cluster['name']}` shows more", FAILED)
            time.sleep(POLL_SECONDS)


def url_of(name: str) -> str:
    """Of a web cluster, by its id or name."""
    return f"{PATH}/{quote(name, safe='')}"


def read_pem(
    certificate: Path | None, key: Path | None, chain: Path | None, client_ca: Path | None
) -> dict[str, object]:
    """The request's fields out of files. Raises `Invalid`; no message holds what a file does."""
    fields: dict[str, object] = {}
    if certificate is not None:
        fields["tls_certificate"] = _read(certificate)
    if key is not None:
        fields["tls_key"] = _read(key)
    if chain is not None:
        fields["tls_chain_certificates"] = [_read(chain)]
    if client_ca is not None:
        fields["tls_ca_certificates"] = [_read(client_ca)]
    return fields


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise Invalid(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Invalid(f"cannot use {path}: it is no text; PEM begins with -----BEGIN") from None
