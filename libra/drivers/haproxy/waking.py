"""A master that lives but does not answer on its socket, as seen with 2.6 after a client was killed amid a word.

A signal starts it anew with the installed file, and its command line with it; its processes serve on meanwhile.
"""

import signal
from datetime import timedelta

import structlog

from libra.daemon.apart import load_words, send
from libra.drivers.haproxy.master import MasterSocket, Processes
from libra.drivers.haproxy.processes import load_parent
from libra.drivers.haproxy.running import ServingProcess, observe_master
from libra.drivers.haproxy.waiting import Deadline, wait_for
from libra.errors import ProxyNotRunning

log = structlog.get_logger(__name__)


def ensure_answering(
    master: MasterSocket, serving: ServingProcess | None, timeout: timedelta
) -> Processes:
    """What the master answers when asked for its processes; raises `ProxyNotRunning` where it cannot be brought to.

    The installed file must be the one that is to run.
    """
    try:
        return master.show_processes()
    except ProxyNotRunning:
        pid = _master_of(serving)
        if pid is None:
            raise
        log.warning(
            "HAProxy's master does not answer and is started anew", action="reload", pid=pid
        )
        send(pid, signal.SIGUSR2)
        if not wait_for(lambda: observe_master(master) or None, Deadline(timeout)):
            raise
    return master.show_processes()


def _master_of(serving: ServingProcess | None) -> int | None:
    """The parent of the process that serves, where it is the same program: an orphan's is somebody else."""
    parent = load_parent(serving.pid) if serving else None
    if serving is None or parent is None:
        return None
    own, its = load_words(serving.pid), load_words(parent)
    return parent if own and its and own[0] == its[0] else None
