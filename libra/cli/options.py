"""The arguments and options of `libra job send`."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Output(Enum):
    """How a reply is shown."""

    TABLE = "table"
    JSON = "json"


def complete_action(incomplete: str) -> list[str]:
    """For the shell."""
    from libra.messages.requests import Action

    return [action.value for action in Action if action.value.startswith(incomplete.upper())]


ActionArgument = Annotated[
    str,
    typer.Argument(
        metavar="ACTION",
        help="UPDATE, SUSPEND, ENABLE, DELETE, DISCOVER, ARCHIVE or STATS, in any case.",
        autocompletion=complete_action,
    ),
]
DeviceOption = Annotated[
    str, typer.Option("--device", "-d", metavar="NAME", help="The worker's name.")
]
MessageOption = Annotated[
    Path | None,
    typer.Option(
        "--message",
        "-m",
        metavar="FILE",
        help="JSON object with the message's fields; - reads standard input. UPDATE and ARCHIVE need it.",
    ),
]
DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        "-n",
        help="Change nothing: ask what the UPDATE, SUSPEND, ENABLE or DELETE would do, and print that.",
    ),
]
ServersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--job-server",
        "-s",
        metavar="HOST:PORT",
        help="May be given several times: the first that answers is used. "
        "Default: those of --config, else 127.0.0.1:4730.",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="Settings whose job servers are used, with TLS where they have it.",
    ),
]
TimeoutOption = Annotated[
    float,
    typer.Option(
        "--timeout", "-t", metavar="SECONDS", min=0.1, max=86400, help="How long to wait."
    ),
]
OutputOption = Annotated[
    Output, typer.Option("--output", "-o", case_sensitive=False, help="How to show the reply.")
]
