"""The command line `libra`: one file a command group, heavy imports inside the commands."""

from typing import Annotated

import typer

from libra import __version__
from libra.cli import (
    certificates,
    clusters,
    config,
    db,
    following,
    job,
    jobserver,
    nodegroups,
    nodes,
    objectstores,
    orders,
    resources,
    rollouts,
    simulate,
    top,
    up,
    verbs,
    webclusters,
)
from libra.cli.admin import commands as admin
from libra.cli.overview import commands as overview

app = typer.Typer(
    name="libra",
    help="Load balancing as a service, on plain hosts with HAProxy.",
    epilog="""\
[bold]First steps[/bold]

libra up [dim]# in one terminal: everything on this machine[/dim]

libra lb create name=shop vip_subnet_id=default --wait [dim]# in another[/dim]

[bold]On real hosts[/bold]

libra-worker --config libra.yaml [dim]# `libra config sample` prints one to start from[/dim]

libra job send DISCOVER --device NAME
""",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.add_typer(job.app, name="job")
app.add_typer(config.app, name="config")
app.command(epilog=jobserver.EPILOG)(jobserver.jobserver)
app.command(epilog=up.EPILOG)(up.up)
app.add_typer(db.app, name="db")
app.add_typer(clusters.app, name="cluster")
app.add_typer(webclusters.app, name="webcluster")
app.add_typer(overview.app, name="status")
app.add_typer(admin.app, name="admin")
app.add_typer(objectstores.app, name="objectstore")
app.add_typer(rollouts.app, name="rollout")
nodes.app.add_typer(nodegroups.app, name="group")
app.add_typer(nodes.app, name="node")
app.command()(top.top)
app.command(epilog=simulate.EPILOG)(simulate.simulate)
verbs.add_verbs(job.app, resources.JOB)
orders.add_job_orders(job.app)
for group in verbs.build_groups():
    if group.info.name == resources.DEVICE.command:
        orders.add_questions(group)
        orders.add_device_orders(group)
    if group.info.name == resources.EVENT.command:
        following.add_following(group)
    if group.info.name == resources.CERTIFICATE.command:
        certificates.add_certificate_verbs(group)
        app.add_typer(group, name="secret", help="Another name of certificate.")
    if group.info.name == resources.TOKEN.command:
        orders.add_revocation(group)
    if group.info.name == resources.LOADBALANCER.command:
        orders.add_archive(group)
        orders.add_failover(group)
    app.add_typer(group)


def show_version(wanted: bool) -> None:
    """Eager, so that nothing else is looked at."""
    if wanted:
        typer.echo(f"libra {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Load balancing as a service, on plain hosts with HAProxy."""
