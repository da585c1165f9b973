"""`libra job`: send jobs to workers by hand."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from libra.cli.exits import FAILED, NO_ANSWER, complain, errors_as_exits, fail
from libra.cli.wiring import Wiring

if TYPE_CHECKING:
    from libra.cli.exchange import Answer
    from libra.messages.requests import Action

app = typer.Typer(help="Send jobs to workers.", no_args_is_help=True)

EPILOG = """\
[bold]Examples[/bold]

libra job send DISCOVER --device web1

libra job send UPDATE --device web1 --message update.json

libra job send STATS --device web1 --job-server gear1:4730 -o json

jq '.hpcs_object_store_token = env.TOKEN' archive.json | libra job send ARCHIVE --device web1 --message -

[bold]Exit status[/bold]: 0 PASS, 1 FAIL, 2 bad input, 3 no job server, no worker or no answer in time
"""


class Output(Enum):
    """How a reply is shown."""

    TABLE = "table"
    JSON = "json"


def complete_action(incomplete: str) -> list[str]:
    """For the shell."""
    from libra.messages.requests import Action

    return [action.value for action in Action if action.value.startswith(incomplete.upper())]


@app.command(epilog=EPILOG)
def send(
    context: typer.Context,
    action: Annotated[
        str,
        typer.Argument(
            metavar="ACTION",
            help="UPDATE, SUSPEND, ENABLE, DELETE, DISCOVER, ARCHIVE or STATS, in any case.",
            autocompletion=complete_action,
        ),
    ],
    device: Annotated[
        str, typer.Option("--device", "-d", metavar="NAME", help="The worker's name.")
    ],
    message: Annotated[
        Path | None,
        typer.Option(
            "--message",
            "-m",
            metavar="FILE",
            help="JSON object with the message's fields; - reads standard input. UPDATE and ARCHIVE need it.",
        ),
    ] = None,
    job_server: Annotated[
        list[str] | None,
        typer.Option(
            "--job-server",
            "-s",
            metavar="HOST:PORT",
            help="May be given several times: the first that answers is used. "
            "Default: those of --config, else 127.0.0.1:4730.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            metavar="FILE",
            help="Settings whose job servers are used, with TLS where they have it.",
        ),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", "-t", metavar="SECONDS", min=0.1, max=86400, help="How long to wait."
        ),
    ] = 30.0,
    output: Annotated[
        Output,
        typer.Option("--output", "-o", case_sensitive=False, help="How to show the reply."),
    ] = Output.TABLE,
) -> None:
    """Send one job to one worker, and print its reply."""
    from libra.cli.exchange import send_job
    from libra.cli.messages import build_message, parse_action_name, read_message
    from libra.cli.servers import choose_servers

    wiring: Wiring = context.obj
    with errors_as_exits():
        parsed = parse_action_name(action)
        fields = build_message(parsed, read_message(message))
        servers = choose_servers(config, job_server or (), wiring.environ)
        answer = send_job(
            lambda: wiring.open_job_client(servers), device, fields, timeout_seconds=timeout
        )
    _show(parsed, device, answer, output)
    _exit(parsed, device, answer)


def _show(action: "Action", device: str, answer: "Answer", output: Output) -> None:
    from libra.cli.replies import print_json, print_reply

    if output is Output.JSON:
        print_json(answer)
    else:
        print_reply(action, device, answer)


def _exit(action: "Action", device: str, answer: "Answer") -> None:
    from libra.messages.replies import FAIL, RESPONSE, passed

    if passed(answer.reply):
        return
    if answer.reply.get(RESPONSE) == FAIL:
        complain(f"FAIL  {action.value} on {device}: {_reason(answer)}")
        raise typer.Exit(FAILED)
    fail(f"the reply of {device} says neither PASS nor FAIL; -o json shows it", NO_ANSWER)


def _reason(answer: "Answer") -> str:
    """In one line, whatever the worker wrote."""
    from libra.logs.lines import cut, escape
    from libra.messages.replies import ERROR, masked_text

    reason = str(answer.reply.get(ERROR) or "no reason is given")
    return escape(cut(masked_text(reason, answer.reply)))
