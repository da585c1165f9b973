"""`libra objectstore`: a project's account at an object store, where its access logs go."""

import os
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from libra.cli.admin.asking import CommentOption, YesOption, confirm, order
from libra.cli.exits import errors_as_exits
from libra.cli.rows import Format, show_one, show_rows
from libra.cli.segments import segment
from libra.cli.verbs import FormatOption, TokenOption, UrlOption, open_api
from libra.errors import Invalid

app = typer.Typer(
    name="objectstore",
    help="Projects' accounts at object stores, where access logs go. Keys are never shown.",
    no_args_is_help=True,
)
PATH = "/v1/objectstores"
KEY = "LIBRA_OBJECT_STORE_KEY"
COLUMNS = ("project_id", "store", "user", "auth_url", "endpoint", "refreshed_at", "expires_at")
ProjectArgument = Annotated[str, typer.Argument(metavar="PROJECT", help="A project.")]


class Version(Enum):
    """1: Swift's own. 3: Keystone."""

    V1 = "1"
    V3 = "3"


@app.command("list")
def list_accounts(
    context: typer.Context,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Those that you may see."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        show_rows(rest.call("GET", PATH)["objectstores"], COLUMNS, output)


@app.command()
def show(
    context: typer.Context,
    project: ProjectArgument,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """A project's."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        show_one(rest.call("GET", f"{PATH}/{segment(project)}")["objectstore"], output)


@app.command("set")
def put(
    context: typer.Context,
    project: ProjectArgument,
    auth_url: Annotated[
        str, typer.Option("--auth-url", metavar="URL", help="Where tokens are given.")
    ],
    user: Annotated[
        str, typer.Option("--user", metavar="ACCOUNT:USER", help="For Keystone PROJECT:USER.")
    ],
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", metavar="FILE", help=f"Holds the key. Default: ${KEY}."),
    ] = None,
    auth_version: Annotated[
        Version, typer.Option("--auth-version", help="1: Swift's own. 3: Keystone.")
    ] = Version.V1,
    domain: Annotated[
        str, typer.Option("--domain", help="Keystone's, of the project and the user.")
    ] = "Default",
    region: Annotated[
        str, typer.Option("--region", help="Which object store of Keystone's catalog.")
    ] = "",
    store: Annotated[str, typer.Option("--store", help="The kind of object store.")] = "swift",
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Set a project's account. The store is asked for a token at once; where it refuses, nothing changes."""
    with errors_as_exits():
        body = {
            "store": store,
            "auth_url": auth_url,
            "auth_version": auth_version.value,
            "user": user,
            "key": _read_key(key_file),
            "domain": domain,
            "region": region,
        }
        rest = open_api(context, api_url, token_file)
        show_one(rest.call("PUT", f"{PATH}/{segment(project)}", body)["objectstore"], output)


@app.command()
def delete(
    context: typer.Context,
    project: ProjectArgument,
    yes: YesOption = False,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Forget a project's account; jobs that have its token keep it."""
    with errors_as_exits():
        path = f"{PATH}/{segment(project)}"
        rest = open_api(context, api_url, token_file)
        confirm(f"forget the object-store account of {project}?", yes=yes)
        rest.call("DELETE", path)


@app.command()
def refresh(
    context: typer.Context,
    project: ProjectArgument,
    jobs: Annotated[
        bool, typer.Option("--jobs", help="Give the fresh token to its open jobs, too.")
    ] = False,
    comment: CommentOption = None,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Get a fresh token for a project's account; for operators."""
    with errors_as_exits():
        path = f"/users/{segment(project)}"
        rest = open_api(context, api_url, token_file)
        what = "job_proxy" if jobs else "vm_proxy"
        show_one(order(rest, "POST", path, comment, refresh=what)["objectstore"], output)


def _read_key(path: Path | None) -> str:
    if path is None:
        key = os.environ.get(KEY, "")
        if not key:
            raise Invalid(f"cannot log in without the account's key: give --key-file, or set {KEY}")
        return key
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise Invalid(f"cannot read the account's key in {path}: {reason}") from error
