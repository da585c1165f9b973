"""Who has HAProxy running: this host's systemd, or the worker itself."""

from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from libra.drivers.haproxy.binary import Binary
from libra.drivers.haproxy.master import MasterSocket
from libra.drivers.haproxy.own import OwnSupervisor, Places
from libra.drivers.haproxy.runtime import AdminSocket
from libra.drivers.haproxy.systemd import RESTART, SystemdSupervisor
from libra.drivers.haproxy.waiting import Deadline

if TYPE_CHECKING:
    from libra.config.settings import HAProxySettings


class Supervisor(Protocol):
    """Starts HAProxy's master on the installed file, and knows where HAProxy's own words go."""

    @property
    def needs_file(self) -> bool:
        """True where HAProxy is started by somebody who fails without a configuration file."""

    def settle(self) -> None:
        """Called when no process answers: let what is under way come to its end, such as a restart; then look again."""

    def start(self, deadline: Deadline, /) -> None:
        """Returns when a master runs; raises `ProxyNotRunning`, `DriverError`.

        What it runs is for the caller to see: one that was there before may need a reload.
        """

    def stop(self, deadline: Deadline, /) -> None:
        """End HAProxy where it is ours to end; raises `DriverError`."""

    def has_ended(self, pid: int, /) -> bool:
        """True where that master is certainly gone."""

    def mark(self) -> int:
        """Where HAProxy's log of its own doings ends now."""

    def explain(self, mark: int, /, log: str = "") -> str:
        """HAProxy's words since the mark, or those in `log`, in one line; empty where there are none."""


def create_supervisor(
    settings: "HAProxySettings", binary: Binary, admin: AdminSocket, master: MasterSocket
) -> Supervisor:
    """The one that the settings name."""
    if settings.supervisor.value == "systemd":
        within = timedelta(seconds=settings.reload_timeout_seconds)
        return SystemdSupervisor(admin, master, min(RESTART, within))
    places = Places(
        config_file=settings.config_file,
        admin_socket=settings.admin_socket,
        master_socket=settings.master_socket,
        access_log=settings.log_file,
        notices=settings.config_file.with_suffix(".err"),
        pid_file=settings.config_file.with_suffix(".pid"),
    )
    return OwnSupervisor(binary, places, admin, master)
