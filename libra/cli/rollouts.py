"""`libra rollout`: every node of a group is changed, a few at a time, while the others serve."""

from typing import TYPE_CHECKING, Annotated

import typer

from libra.cli.exits import FAILED, NOT_ALL, complain, errors_as_exits, fail
from libra.cli.rolloutoptions import (
    EPILOG,
    BatchOption,
    CapacityTimeoutOption,
    CommandArgument,
    CommandTimeoutOption,
    DrainOption,
    DrainTimeoutOption,
    DryRunOption,
    FailureOption,
    GroupOption,
    HealthOption,
    HealthTimeoutOption,
    MinOnlineOption,
    NodesOption,
    OnlineTimeoutOption,
    ShellOption,
    WarmUpOption,
    WarmUpTimeoutOption,
)
from libra.cli.rows import Format, Json, show_one, show_rows
from libra.cli.verbs import FormatOption, TokenOption, UrlOption, open_api
from libra.errors import Invalid
from libra.model.rollout import DrainPolicy, FailurePolicy, RolloutState

if TYPE_CHECKING:  # a command that asks nobody does not pay for it
    from libra.rollout.leading import Led, RolloutApi
    from libra.rollout.options import Options

app = typer.Typer(
    name="rollout",
    help="Change every node of a group, a few at a time, while the others serve.",
    no_args_is_help=True,
)
PATH = "/v1/rollouts"
COLUMNS = ("id", "group", "state", "nodes", "author", "created_at", "ended_at", "reason")
KeyArgument = Annotated[
    str, typer.Argument(metavar="GROUP|ID", help="A rollout's id, or the newest of that group.")
]


@app.command(epilog=EPILOG)
def run(
    context: typer.Context,
    command: CommandArgument,
    group: GroupOption,
    node: NodesOption = None,
    batch: BatchOption = 1,
    min_online: MinOnlineOption = "50%",
    drain_timeout: DrainTimeoutOption = 60.0,
    on_drain_timeout: DrainOption = DrainPolicy.STOP,
    on_failure: FailureOption = FailurePolicy.LEAVE,
    warm_up: WarmUpOption = None,
    health: HealthOption = None,
    command_timeout: CommandTimeoutOption = 600.0,
    health_timeout: HealthTimeoutOption = 60.0,
    warm_up_timeout: WarmUpTimeoutOption = 60.0,
    online_timeout: OnlineTimeoutOption = 60.0,
    capacity_timeout: CapacityTimeoutOption = 300.0,
    shell: ShellOption = False,
    dry_run: DryRunOption = False,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Take each node out of service, wait until its sessions have ended, run COMMAND, bring it back; then the next.

    It stops at the first failure. Ctrl-C finishes the nodes in work and takes no other; a second one ends it at once.
    Exit status 1 where it was stopped, 4 where nodes were skipped, which are as they were.
    """
    from libra.rollout.leading import RolloutApi
    from libra.rollout.options import read_options

    options = read_options({**context.params, "warm_up": warm_up or ()})
    with errors_as_exits():
        api = RolloutApi(open_api(context, api_url, token_file))
        if dry_run:
            _preview(api, group, node or (), options, output)
            return
        _lead(api, api.begin(group, node or (), options), output)


def _preview(
    api: "RolloutApi",
    group: str,
    nodes: "list[str] | tuple[str, ...]",
    options: "Options",
    output: Format,
) -> None:
    from libra.rollout.preview import preview

    rows = preview(api.look(group), nodes, options)
    asked = ("urls",) if any(row["urls"] for row in rows) else ()
    columns = ("turn", "node", "address", "status", "sessions", "command", *asked, "reason")
    if output is Format.TABLE:
        rows = [{**row, "urls": " ".join(row["urls"])} for row in rows]
    show_rows(rows, columns, output)


def _lead(api: "RolloutApi", led: "Led", output: Format) -> None:
    from libra.cli.rolloutview import watching
    from libra.rollout.function import lead
    from libra.rollout.watchers import tell_end

    with watching(output) as watcher:
        led = lead(api, led, watcher)
        watcher.end(led)
    if led.state is not RolloutState.COMPLETE:
        fail(tell_end(led), FAILED)
    complain(tell_end(led))
    if led.skipped:
        raise typer.Exit(NOT_ALL)


@app.command()
def resume(
    context: typer.Context,
    name: KeyArgument,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- COMMAND...]", help="In place of the one that is stored."),
    ] = None,
    stored: Annotated[
        bool, typer.Option("--stored-command", help="Run the one that is stored, unasked.")
    ] = False,
    shell: ShellOption = False,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Go on with a rollout that was stopped, or whose client has died. Nodes that failed are tried again.

    The command was stored by whoever began it and runs as you: without --stored-command you are asked.
    """
    from dataclasses import replace

    from libra.rollout.leading import RolloutApi

    with errors_as_exits():
        api = RolloutApi(open_api(context, api_url, token_file))
        known = api.show(name)
        options = (
            known.options
        )  # named to the API: nothing is run that was stored after it was shown
        if command:
            options = replace(options, command=tuple(command), shell=shell)
        elif shell:
            raise Invalid("cannot resume with --shell alone: it is for a command after --")
        else:
            _ensure_wanted(known, stored=stored)
        _lead(api, api.resume(known.id, options), output)


def _ensure_wanted(known: "Led", *, stored: bool) -> None:
    """Raises `Invalid`, and ends where the person says no."""
    import shlex
    import sys

    if not known.options.command:
        raise Invalid(
            f"cannot resume the rollout {known.id}: a program began it; give a command after --"
        )
    if stored:
        return
    words = known.options.command
    text = " ".join(words) if known.options.shell else shlex.join(words)
    if not sys.stdin.isatty():
        raise Invalid(
            f"cannot run the stored command {text!a} unasked: give --stored-command, or a command after --"
        )
    complain(f"stored command: {text}")
    typer.confirm("Run it on every node that is left?", abort=True, err=True)


@app.command()
def stop(
    context: typer.Context,
    name: KeyArgument,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Have whoever leads it finish the nodes in work, and take no other."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        _show(rest.call("POST", _path(name, "/stop"))["rollout"], output)


@app.command()
def abort(
    context: typer.Context,
    name: KeyArgument,
    restore: Annotated[
        bool | None,
        typer.Option(
            "--restore/--leave",
            help="Bring back the nodes that it has left offline. Default: its --on-failure.",
        ),
    ] = None,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """End it for good: at once, or after the nodes in work where somebody leads it."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        body = {"restore": restore}
        _show(rest.call("POST", _path(name, "/abort"), body)["rollout"], output)


@app.command()
def status(
    context: typer.Context,
    name: KeyArgument,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Show how far it is."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        shown = rest.call("GET", _path(name))["rollout"]
    _show(shown, output)


def _show(shown: Json, output: Format) -> None:
    if output is not Format.TABLE:
        show_one(shown, output)
        return
    nodes, options = shown.pop("nodes"), shown.pop("options")
    if not shown["led"] and shown["state"] == RolloutState.RUNNING.value:
        shown["reason"] = f"nobody leads it: {shown['holder']} has not been heard of"
    shown["phases"] = _tell_phases(shown["phases"])
    show_one({**shown, "command": options["command"]}, output)
    typer.echo()
    show_rows(nodes, ("node", "phase", "since", "reason"), output)


def _tell_phases(phases: Json) -> str:
    return ", ".join(f"{count} {phase}" for phase, count in phases.items())


@app.command()
def history(
    context: typer.Context,
    group: Annotated[str | None, typer.Option("--group", "-g", help="Only of that group.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000)] = 20,
    output: FormatOption = Format.TABLE,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """List rollouts, the newest first."""
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        wanted = {"group": group} if group else {}
        rows = rest.call("GET", PATH, limit=str(limit), **wanted)["rollouts"]
    if output is Format.TABLE:
        rows = [{**row, "nodes": _tell_phases(row["phases"])} for row in rows]
    show_rows(rows, COLUMNS, output)


def _path(name: str, verb: str = "") -> str:
    from urllib.parse import quote

    return f"{PATH}/{quote(name, safe='')}{verb}"
