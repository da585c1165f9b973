"""From the host's settings to what of them stands in HAProxy's file."""

from datetime import timedelta
from pathlib import Path

from libra.config.settings import HAProxySettings, Supervisor
from libra.drivers.haproxy.binary import Version
from libra.drivers.haproxy.config import Options
from libra.errors import Invalid


def build_options(settings: HAProxySettings, version: Version) -> Options:
    """Raises `Invalid` for a line of the operator's that would hide which configuration runs."""
    for line in settings.extra_global:
        if line.split()[:1] == ["description"]:
            raise Invalid(
                "cannot use haproxy.extra_global: 'description' is libra's own, by which it knows what runs"
            )
    return Options(
        admin_socket=str(settings.admin_socket),
        log_target=settings.log_target or _default_log_target(settings.supervisor),
        version=(version.major, version.minor, version.patch),
        hard_stop_after=timedelta(seconds=settings.hard_stop_after_seconds),
        server_state_file=str(server_state_file(settings.config_file)),
        user=settings.user,
        group=settings.group,
        extra_global=settings.extra_global,
        extra_defaults=settings.extra_defaults,
    )


def server_state_file(config_file: Path) -> Path:
    """Where a reload finds the state of checks."""
    return config_file.with_name(f"{config_file.name}.servers")


def _default_log_target(supervisor: Supervisor) -> str:
    """With `own`, HAProxy's standard output is the log file."""
    return "stdout" if supervisor is Supervisor.OWN else "/dev/log"
