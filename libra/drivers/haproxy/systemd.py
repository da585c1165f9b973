"""HAProxy under systemd: libra-haproxy.service starts it and starts it again; the worker only talks to it."""

from datetime import timedelta

from libra.drivers.haproxy.alerts import explain
from libra.drivers.haproxy.master import MasterSocket
from libra.drivers.haproxy.running import observe_master, observe_process
from libra.drivers.haproxy.runtime import AdminSocket
from libra.drivers.haproxy.waiting import Deadline, wait_for
from libra.errors import DriverError, ProxyNotRunning

UNIT = "libra-haproxy.service"
RESTART = timedelta(seconds=3)  # the unit's RestartSec is a fraction of it


class SystemdSupervisor:
    """The worker has no right to start units, so all it can do is wait and say what is missing."""

    needs_file = True

    def __init__(self, admin: AdminSocket, master: MasterSocket, restart: timedelta) -> None:
        self._admin = admin
        self._master = master
        self._restart = restart

    def settle(self) -> None:
        """systemd starts a HAProxy that died again within a moment."""
        self._await_process(self._restart)

    def start(self, deadline: Deadline) -> None:
        """Wait for systemd; raises `ProxyNotRunning` that says what to do."""
        within = min(self._restart, timedelta(seconds=deadline.left_seconds))
        if not self._await_process(within) and not observe_master(self._master):
            raise ProxyNotRunning(
                f"cannot reach HAProxy: {UNIT} does not run it ('systemctl start {UNIT}' starts it,"
                f" 'journalctl -u {UNIT}' says why it ended)"
            )

    def stop(self, _deadline: Deadline) -> None:
        """Not the worker's to do."""
        raise DriverError(f"cannot stop HAProxy: it belongs to systemd ('systemctl stop {UNIT}')")

    def _await_process(self, within: timedelta) -> bool:
        return wait_for(lambda: observe_process(self._admin), Deadline(within)) is not None

    def has_ended(self, _pid: int) -> bool:
        """Unknown: another user's processes may be hidden from the worker."""
        return False

    def mark(self) -> int:
        """Nothing to mark: the words go to the journal."""
        return 0

    def explain(self, _mark: int, log: str = "") -> str:
        """HAProxy from 2.7 on hands its log over; before, only the journal has it."""
        return explain(log) or f"'journalctl -u {UNIT}' has HAProxy's words"
