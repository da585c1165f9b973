"""How `libra rollout run` is told what to do."""

from typing import Annotated

import typer

from libra.model.rollout import DrainPolicy, FailurePolicy

EPILOG = """\
[bold]Examples[/bold]

libra rollout run --group web -- ssh {node} sudo systemctl restart app

libra rollout run -g web --batch 2 --min-online 60% --health http://{address}:{port}/health [dim]# two at a time[/dim]
  --warm-up http://{address}:{port}/ -- ./deploy.sh {node} [dim]# and each is asked for a page before it serves[/dim]

libra rollout run -g web --dry-run -- ./deploy.sh {node} [dim]# only tells what it would do[/dim]

libra rollout status web
"""
_WORDS = "{node}, {address}, {port} and {group} stand for the node's"

CommandArgument = Annotated[
    list[str],
    typer.Argument(metavar="-- COMMAND...", help=f"What changes a node, run here; {_WORDS}."),
]
GroupOption = Annotated[str, typer.Option("--group", "-g", help="The group of nodes.")]
NodesOption = Annotated[
    list[str] | None,
    typer.Option("--node", metavar="NODE", help="Only this one; may be repeated, in order."),
]
BatchOption = Annotated[int, typer.Option("--batch", min=1, max=1000, help="Nodes at a time.")]
MinOnlineOption = Annotated[
    str,
    typer.Option(
        "--min-online",
        metavar="N|N%",
        help="How many of the group must serve all the time; those that are down do not count.",
    ),
]
DrainTimeoutOption = Annotated[
    float, typer.Option("--drain-timeout", min=0, max=86_400, help="Seconds for sessions to end.")
]
DrainOption = Annotated[
    DrainPolicy,
    typer.Option("--on-drain-timeout", help="continue cuts the sessions off; stop is a failure."),
]
FailureOption = Annotated[
    FailurePolicy,
    typer.Option("--on-failure", help="leave the node offline, or restore it to service."),
]
WarmUpOption = Annotated[
    list[str] | None,
    typer.Option(
        "--warm-up", metavar="URL", help=f"Asked for before it serves; may be repeated. {_WORDS}."
    ),
]
HealthOption = Annotated[
    str | None,
    typer.Option("--health", metavar="URL", help=f"Must answer 2xx after COMMAND. {_WORDS}."),
]
ShellOption = Annotated[
    bool,
    typer.Option(
        "--shell", help="COMMAND is one text for /bin/sh; what stands for the node is quoted."
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only tell which node's turn is when, and change nothing.")
]
CommandTimeoutOption = Annotated[
    float, typer.Option("--command-timeout", min=0, max=86_400, help="Seconds for COMMAND.")
]
HealthTimeoutOption = Annotated[
    float, typer.Option("--health-timeout", min=0, max=86_400, help="Seconds to become healthy.")
]
WarmUpTimeoutOption = Annotated[
    float, typer.Option("--warm-up-timeout", min=0, max=86_400, help="Seconds for each warm-up.")
]
OnlineTimeoutOption = Annotated[
    float,
    typer.Option(
        "--online-timeout", min=0, max=86_400, help="Seconds until every device uses it again."
    ),
]
CapacityTimeoutOption = Annotated[
    float,
    typer.Option(
        "--capacity-timeout", min=0, max=86_400, help="Seconds to wait while too few serve."
    ),
]
