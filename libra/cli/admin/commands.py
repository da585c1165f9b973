"""The group `libra admin`."""

import typer

from libra.cli.admin import daemon, devices, maps, pools

app = typer.Typer(
    name="admin",
    help="Orders to the fleet; each is an event with who, from where, and the comment.",
    no_args_is_help=True,
)
pools.add_pool_orders(app)
app.add_typer(devices.app)
for group in maps.build_map_groups():
    app.add_typer(group)
daemon.add_daemon_orders(app)
