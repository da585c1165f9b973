"""`libra job`: send jobs to workers by hand."""

from typing import TYPE_CHECKING

import typer

from libra.cli.exits import FAILED, NO_ANSWER, complain, errors_as_exits, fail
from libra.cli.options import (
    ActionArgument,
    ConfigOption,
    DeviceOption,
    DryRunOption,
    MessageOption,
    Output,
    OutputOption,
    ServersOption,
    TimeoutOption,
)
from libra.cli.wiring import Wiring

if TYPE_CHECKING:
    from libra.cli.exchange import Answer
    from libra.messages.requests import Action

app = typer.Typer(
    help="Send jobs to workers by hand; see and steer those of the controller.",
    no_args_is_help=True,
)

EPILOG = """\
[bold]Examples[/bold]

libra job send DISCOVER --device web1

libra job send UPDATE --device web1 --message update.json

libra job send UPDATE --device web1 --message update.json --dry-run [dim]# only tells what it would do[/dim]

libra job send STATS --device web1 --job-server gear1:4730 -o json

jq '.hpcs_object_store_token = env.TOKEN' archive.json | libra job send ARCHIVE --device web1 --message -

[bold]Exit status[/bold]: 0 PASS, 1 FAIL, 2 bad input, 3 no job server, no worker or no answer in time
"""


@app.command(epilog=EPILOG)
def send(
    context: typer.Context,
    action: ActionArgument,
    device: DeviceOption,
    message: MessageOption = None,
    dry_run: DryRunOption = False,
    job_server: ServersOption = None,
    config: ConfigOption = None,
    timeout: TimeoutOption = 30.0,
    output: OutputOption = Output.TABLE,
) -> None:
    """Send one job to one worker, and print its reply."""
    from libra.cli.exchange import send_job
    from libra.cli.messages import build_message, parse_action_name, read_message, with_dry_run
    from libra.cli.servers import choose_servers
    from libra.messages.requests import is_dry_run

    wiring: Wiring = context.obj
    with errors_as_exits():
        parsed = parse_action_name(action)
        fields = build_message(parsed, read_message(message))
        fields = with_dry_run(parsed, fields) if dry_run else fields
        asked = parsed.changes_proxy and is_dry_run(fields)
        servers = choose_servers(config, job_server or (), wiring.environ)
        answer = send_job(
            lambda: wiring.open_job_client(servers), device, fields, timeout_seconds=timeout
        )
    _show(parsed, device, answer, output, dry_run=asked)
    _exit(parsed, device, answer)
    if asked:
        _ensure_dry(parsed, device, answer)


def _show(
    action: "Action", device: str, answer: "Answer", output: Output, *, dry_run: bool
) -> None:
    from libra.cli.replies import print_json, print_plan, print_reply

    if output is Output.JSON:
        print_json(answer)
    elif dry_run:
        print_plan(action, device, answer)
    else:
        print_reply(action, device, answer)


def _ensure_dry(action: "Action", device: str, answer: "Answer") -> None:
    """A worker of an older release ignores the wish."""
    from libra.cli.replies import plan_of

    if plan_of(answer) is None:
        fail(f"{device} knows no dry run: it has carried out the {action.value}", FAILED)


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
