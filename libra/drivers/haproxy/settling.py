"""The end of a reload that a worker began who was killed: till then, what serves is about to be replaced."""

from datetime import timedelta

import structlog

from libra.drivers.haproxy.master import MasterRestarting, MasterSocket
from libra.drivers.haproxy.running import observe_process
from libra.drivers.haproxy.runtime import AdminSocket
from libra.drivers.haproxy.waiting import Deadline, wait_for
from libra.errors import ProxyNotRunning

log = structlog.get_logger(__name__)

TAKE_OVER = timedelta(seconds=2)  # from a new process's start to the moment when it serves


def settle(admin: AdminSocket, master: MasterSocket, timeout: timedelta) -> None:
    """Return when the process that serves is the master's last one, or nobody serves.

    `timeout` is for a master that loads a configuration.
    """
    wait_for(lambda: _has_loaded(admin, master) or None, Deadline(timeout))
    if wait_for(lambda: _has_taken_over(admin, master) or None, Deadline(TAKE_OVER)) is None:
        log.warning("what serves is not the master's last process", action="settle")


def _has_loaded(admin: AdminSocket, master: MasterSocket) -> bool:
    """As long as a process serves it has a master; one that refuses to answer is loading a configuration."""
    if observe_process(admin) is None:
        return True
    try:
        master.show_processes_now()
    except MasterRestarting:
        return False
    except ProxyNotRunning:
        pass
    return True


def _has_taken_over(admin: AdminSocket, master: MasterSocket) -> bool:
    serving = observe_process(admin)
    try:
        workers = master.show_processes_now().workers
    except ProxyNotRunning:
        return True  # nothing more can be known
    return serving is None or serving.pid in {worker.pid for worker in workers}
