"""From the host's settings to what of them stands in HAProxy's file."""

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from libra.config.values import Supervisor
from libra.drivers.haproxy.binary import Version
from libra.drivers.haproxy.config import Options
from libra.drivers.haproxy.formats import IN_EXPRESSION
from libra.errors import Invalid

if TYPE_CHECKING:
    from libra.config.settings import HAProxySettings

_OWN = {
    "description": "by which it knows what runs",
    "localpeer": "by which clients stay at their servers over a reload",
}


def build_options(
    settings: "HAProxySettings", version: Version, serving_socket: Path | None = None
) -> Options:
    """Raises `Invalid` for a line of the operator's that stands in libra's own way."""
    for line in settings.extra_global:
        keyword = line.split()[0]
        if keyword in _OWN:
            raise Invalid(
                f"cannot use haproxy.extra_global: '{keyword}' is libra's own, {_OWN[keyword]}"
            )
    return Options(
        admin_socket=str(settings.admin_socket),
        log_target=settings.log_target or _default_log_target(settings.supervisor),
        version=(version.major, version.minor, version.patch),
        hard_stop_after=timedelta(seconds=settings.hard_stop_after_seconds),
        server_state_file=str(server_state_file(settings.config_file)),
        peers_socket=f"{settings.admin_socket}.peers",
        clients_file=_expressible(clients_file(settings.config_file)),
        material_dir=str(material_directory(settings.config_file)),
        serving_socket=str(serving_socket) if serving_socket is not None else None,
        processors=len(os.sched_getaffinity(0)),
        health_reporter=parse_place(settings.health_reporter),
        user=settings.user,
        group=settings.group,
        extra_global=settings.extra_global,
        extra_defaults=settings.extra_defaults,
    )


def parse_place(text: str | None) -> tuple[str, int] | None:
    """An address without brackets, and a port."""
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def server_state_file(config_file: Path) -> Path:
    """Where a reload finds the state of checks."""
    return config_file.with_name(f"{config_file.name}.servers")


def clients_file(config_file: Path) -> Path:
    """Where a reload finds which server a client is tied to."""
    return config_file.with_name(f"{config_file.name}.clients")


def material_directory(config_file: Path) -> Path:
    """Where certificates and maps are."""
    return config_file.with_name(f"{config_file.name}.d")


def _expressible(path: Path) -> str | None:
    """None where HAProxy's expressions have no quoting for it: then some clients may move at a reload."""
    return str(path) if IN_EXPRESSION.fullmatch(str(path)) else None


def _default_log_target(supervisor: Supervisor) -> str:
    """With `own`, HAProxy's standard output is the log file."""
    return "stdout" if supervisor is Supervisor.OWN else "/dev/log"
