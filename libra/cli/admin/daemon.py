"""`libra admin log-level`, `reconfig`, `quick-shutdown`, `refresh`: orders to the controller that answers."""

import time
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from libra.cli.admin.asking import CommentOption, YesOption, confirm, order
from libra.cli.exits import FAILED, errors_as_exits, fail
from libra.cli.rows import Format, show_one
from libra.cli.segments import segment
from libra.cli.verbs import (
    POLL_SECONDS,
    FormatOption,
    TimeoutOption,
    TokenOption,
    UrlOption,
    open_api,
)
from libra.errors import JobServerUnavailable, LibraError

if TYPE_CHECKING:
    from libra.cli.rest import Rest


class Level(Enum):
    """From the fewest lines to the most."""

    CRITICAL = "CRITICAL"
    ERROR = "ERROR"
    WARNING = "WARNING"
    INFO = "INFO"
    DEBUG = "DEBUG"
    VERBOSE = "VERBOSE"


class Proxy(Enum):
    """Which of a user's tokens: of the account alone, or of its open jobs, too."""

    JOB = "job"
    VM = "vm"


def add_daemon_orders(group: typer.Typer) -> None:
    """All four."""
    group.command("log-level")(set_log_level)
    group.command("reconfig")(reconfigure)
    group.command("quick-shutdown")(quick_shutdown)
    group.command("refresh")(refresh)


def set_log_level(
    context: typer.Context,
    level: Annotated[
        Level, typer.Argument(metavar="LEVEL", case_sensitive=False, help="CRITICAL to VERBOSE.")
    ],
    comment: CommentOption = None,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """What the controller logs from now on, until its settings are read again."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        show_one(order(rest, "PUT", "/", comment, log_level=level.value), output)


def reconfigure(
    context: typer.Context,
    comment: CommentOption = None,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Read the settings again: what has changed, and what needs a restart."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        show_one(order(rest, "POST", "/", comment, action="reconfig"), output)


def quick_shutdown(
    context: typer.Context,
    wait: Annotated[
        bool, typer.Option("--wait", "-w", help="Return when the controller answers no more.")
    ] = False,
    timeout: TimeoutOption = 120.0,
    comment: CommentOption = None,
    yes: YesOption = False,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Stop the controller and leave all devices running and recorded: before an upgrade."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        confirm("stop the controller, and leave all devices running?", yes=yes)
        show_one(order(rest, "POST", "/", comment, action="quick_shutdown"), output)
        if wait:
            _await_end(rest, timeout)


def _await_end(rest: "Rest", timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            rest.call("GET", "/healthz")
        except JobServerUnavailable:
            return
        except LibraError:  # it refuses while it ends
            pass
        time.sleep(POLL_SECONDS)
    fail("the controller still answers", FAILED)


def refresh(
    context: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="A project.")],
    proxy: Annotated[
        Proxy,
        typer.Option(
            "--proxy",
            "-p",
            case_sensitive=False,
            help="vm: a fresh token of its object-store account, for new jobs; job: for its open jobs, too.",
        ),
    ] = Proxy.VM,
    comment: CommentOption = None,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Get a fresh token for a project's object-store account."""
    with errors_as_exits():
        path = f"/users/{segment(user)}"
        rest = open_api(context, api_url, token_file)
        show_one(order(rest, "POST", path, comment, refresh=f"{proxy.value}_proxy"), output)
