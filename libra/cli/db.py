"""`libra db`: the controller's database."""

from pathlib import Path
from typing import Annotated

import typer

from libra.cli.exits import errors_as_exits
from libra.cli.wiring import Wiring

app = typer.Typer(help="Look after the controller's database.", no_args_is_help=True)
UrlOption = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="Instead of database.url of --config."),
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", metavar="FILE", help="Settings of the controller.")
]


@app.command()
def upgrade(context: typer.Context, url: UrlOption = None, config: ConfigOption = None) -> None:
    """Make a new database, or bring an older one up to date."""
    wiring: Wiring = context.obj
    with errors_as_exits():
        typer.echo(f"the schema is {wiring.upgrade_database(_choose(wiring, url, config))}")


@app.command()
def check(context: typer.Context, url: UrlOption = None, config: ConfigOption = None) -> None:
    """Whether the database answers, and has this release's schema."""
    wiring: Wiring = context.obj
    with errors_as_exits():
        wiring.check_database(_choose(wiring, url, config))
        typer.echo("the database answers, and its schema is this release's")


def _choose(wiring: Wiring, url: str | None, config: Path | None) -> str:
    if url is not None:
        return url
    from libra.config.load import load_settings

    return load_settings(config, wiring.environ).database.url
