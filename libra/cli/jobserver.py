"""`libra jobserver`: a job server for one machine."""

import signal
from typing import Annotated

import typer

from libra.cli.exits import FAILED, complain, fail
from libra.cli.wiring import Wiring

STOPS = {signal.SIGINT, signal.SIGTERM}
EPILOG = """\
[bold]Examples[/bold]

libra jobserver

libra jobserver --port 0 [dim]# picks a free port, and prints it[/dim]
"""


def jobserver(
    context: typer.Context,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="TCP port; 0 picks a free one.")
    ] = 4730,
) -> None:
    """Run a Gearman job server in the foreground, until Ctrl-C or SIGTERM.

    For one machine and for trying out: jobs live in memory, it speaks clear text, and it lets in who reaches it. A
    fleet is better served by gearmand.
    """
    from libra.errors import LibraError

    wiring: Wiring = context.obj
    # Blocked before its threads start, so that each stop signal waits for sigwait below.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        server = wiring.create_job_server(host, port)
        server.start()
        _announce(server.host, server.port)
        signal.sigwait(STOPS)
        server.stop()
    except LibraError as error:
        fail(str(error), FAILED)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    typer.echo("stopped")


def _announce(host: str, port: int) -> None:
    shown = f"[{host}]" if ":" in host else host
    if not host.startswith("127.") and host not in ("::1", "localhost"):
        complain(f"warning: anybody who reaches {shown}:{port} can send jobs and take them")
    typer.echo(f"job server on {shown}:{port}")
