"""`libra config`: look at settings before a worker does."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from libra.cli.exits import FAILED, complain
from libra.cli.wiring import Wiring

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from libra.config.settings import JobServerSettings, Settings

PLUGINS = (("worker", "driver", "libra.drivers"), ("vip", "adapter", "libra.vips"))  # by whom named

app = typer.Typer(help="Check settings, or print a sample.", no_args_is_help=True)


@app.command(
    epilog="""\
[bold]Examples[/bold]

libra config check /etc/libra/libra.yaml

LIBRA_LOGGING__LEVEL=debug libra config check /etc/libra/libra.yaml

[bold]Exit status[/bold]: 0 all is well, 1 with every fault told on standard error
"""
)
def check(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The settings to check.")],
) -> None:
    """Read settings as a worker does, with the environment's LIBRA_SECTION__KEY, and tell every fault at once."""
    from libra.config.load import load_settings
    from libra.errors import Invalid

    wiring: Wiring = context.obj
    try:
        settings = load_settings(file, wiring.environ, _find_missing)
    except Invalid as error:
        complain(str(error))
        raise typer.Exit(FAILED) from None
    typer.echo(f"{file}: the settings are good\n")
    for name, value in _summarise(settings).items():
        typer.echo(f"  {name:<13} {value}")


@app.command()
def sample() -> None:
    """Print a settings file to start from: every key, its help and its default."""
    from libra.config.sample import render_sample

    typer.echo(render_sample(), nl=False)


def _find_missing(tree: "Mapping[str, object]") -> "Iterator[tuple[tuple[str, ...], str]]":
    """What only another package could bring; names that no package could have are told of anyway."""
    from libra import plugins
    from libra.config.types import PLUGIN_NAME

    for section, key, group in PLUGINS:
        values = tree.get(section)
        name = values.get(key) if isinstance(values, dict) else None
        if (
            isinstance(name, str)
            and re.fullmatch(PLUGIN_NAME, name)
            and name not in plugins.names(group)
        ):
            known = ", ".join(plugins.names(group))
            yield (section, key), f"must be an installed {key} ({known}), got '{name}'"


def _summarise(settings: "Settings") -> dict[str, str]:
    """What would be used, in short."""
    haproxy = settings.haproxy
    swift = settings.object_stores.swift
    return {
        "worker": f"{settings.worker.name}, driver {settings.worker.driver}, state in {settings.worker.state_dir}",
        "job servers": ", ".join(map(_describe_server, settings.job_servers)),
        "HAProxy": f"{haproxy.binary or 'found by itself'}, run by {_describe_supervisor(settings)}, "
        f"file {haproxy.config_file}",
        "sockets": f"{haproxy.admin_socket}, {haproxy.master_socket}",
        "ARCHIVE": f"from {haproxy.log_file} to {', '.join(swift.allowed_endpoints) or 'nowhere'}",
        "logging": f"{settings.logging.level.value}, as {settings.logging.format.value}, "
        f"to {settings.logging.file or 'standard error'}",
    }


def _describe_server(server: "JobServerSettings") -> str:
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"{host}:{server.port}{' (TLS)' if server.ca else ''}"


def _describe_supervisor(settings: "Settings") -> str:
    from libra.config.values import Supervisor

    return "the worker" if settings.haproxy.supervisor is Supervisor.OWN else "systemd"
