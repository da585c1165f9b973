"""`libra up`: everything on one machine."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from libra.cli.exits import errors_as_exits
from libra.cli.wiring import Fleet, Wiring
from libra.client.places import default_state_dir
from libra.errors import StateError

STOPS = {signal.SIGINT, signal.SIGTERM}
LOOK_SECONDS = 1.0
EPILOG = """\
[bold]Then, in another terminal[/bold]

libra device list

libra lb create name=shop vip_subnet_id=default --wait

libra job send STATS --device local
"""


def up(
    context: typer.Context,
    state_dir: Annotated[
        Path | None,
        typer.Option(
            "--state-dir",
            metavar="DIR",
            help="Where everything is kept. Default: ~/.local/state/libra.",
        ),
    ] = None,
    api_port: Annotated[
        int, typer.Option("--api-port", min=0, max=65535, help="Of the REST API; 0 picks one.")
    ] = 8111,
    job_port: Annotated[
        int, typer.Option("--job-port", min=0, max=65535, help="Of the job server; 0 picks one.")
    ] = 4730,
    object_store: Annotated[
        list[str] | None,
        typer.Option(
            "--object-store",
            metavar="PATTERN",
            help="Storage URLs that logs may be archived to, with * and ?. Default: https://*. Can be repeated.",
        ),
    ] = None,
) -> None:
    """Run job server, controller, one worker and its HAProxy on this machine, until Ctrl-C or SIGTERM.

    All of it listens on the loopback address, and all of it stops together, HAProxy too. Started again in the same
    directory it comes back with every load balancer. The administrator's token is in DIR/admin-token.

    Devices of its device pools stop with it, too, and come back with it; a second Ctrl-C waits for none of them.
    """
    wiring: Wiring = context.obj
    directory = state_dir or default_state_dir()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        with errors_as_exits():
            fleet = wiring.create_fleet(directory, api_port, job_port, object_store or ())
            try:
                fleet.start()
                _tell(fleet)
                while signal.sigtimedwait(STOPS, LOOK_SECONDS) is None:
                    if fleet.has_ended:
                        raise StateError("cannot go on: the API ended by itself; the log says why")
                typer.echo("stopping")
            finally:
                fleet.stop(lambda seconds: signal.sigtimedwait(STOPS, seconds) is None)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    typer.echo("stopped")


def _tell(fleet: Fleet) -> None:
    typer.echo(f"job server   127.0.0.1:{fleet.job_port}")
    typer.echo(f"API          http://127.0.0.1:{fleet.api_port}")
    typer.echo(f"page         http://127.0.0.1:{fleet.api_port}/ui/")
    typer.echo(f"admin token  {fleet.token_file}")
    typer.echo(f"worker       local, its log is {fleet.state_dir / 'worker.log'}")
