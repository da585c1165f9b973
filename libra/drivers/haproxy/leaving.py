"""Servers that were removed at runtime: in maintenance at once, away once they serve nothing any more.

HAProxy refuses to delete a server that has connections, so each is asked for again until its last one has ended,
or until the drain time is over and the policy says to end them.
"""

import threading
from datetime import timedelta

import structlog

from libra.drivers.haproxy.commands import deletion, is_deleted, session_end
from libra.drivers.haproxy.config import Server, ServerState
from libra.drivers.haproxy.runtime import AdminSocket
from libra.drivers.haproxy.waiting import Deadline
from libra.errors import DriverError

log = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0

ServerKey = tuple[str, str]  # backend, server


class LeavingServers:
    """Those that are still to be deleted, and the thread that does it while there are any.

    `drain` is how long their connections may last; after it they are ended, or left where `drain` is None.
    """

    def __init__(self, admin: AdminSocket, drain: timedelta | None = None) -> None:
        self.drain = drain
        self._admin = admin
        self._lock = threading.Lock()
        self._servers: dict[ServerKey, tuple[Server, Deadline | None]] = {}
        self._thread: threading.Thread | None = None
        self._changed = threading.Event()
        self._closed = False
        self._pid: int | None = None

    def servers(self) -> dict[ServerKey, Server]:
        """What has not been deleted yet, as it runs: in maintenance."""
        with self._lock:
            return {key: server for key, (server, _) in self._servers.items()}

    def add(self, backend: str, server: Server) -> None:
        """A server that was put into maintenance in order to go."""
        deadline = Deadline(self.drain) if self.drain is not None else None
        with self._lock:
            if self._closed:
                return
            leaving = server._replace(state=ServerState.MAINT)
            self._servers.setdefault((backend, server.name), (leaving, deadline))
            self._changed.set()
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="haproxy-leaving", daemon=True
                )
                self._thread.start()

    def keep(self, backend: str, server: str) -> None:
        """A server that is wanted again; call it before the server is brought back."""
        with self._lock:
            self._servers.pop((backend, server), None)

    def serve(self, pid: int) -> None:
        """The process that serves; another one than before never knew them."""
        with self._lock:
            if pid != self._pid:
                self._pid = pid
                self._servers.clear()
                self._changed.set()

    def abandon(self) -> None:
        """Call before a reload: from some moment in it on, the same name is another server of another process.

        Where it fails, whoever looks at HAProxy next finds them in maintenance.
        """
        with self._lock:
            self._servers.clear()
            self._changed.set()

    def close(self) -> None:
        """Stop asking, and wait for the thread; whoever looks at HAProxy next finds them in maintenance."""
        with self._lock:
            self._closed = True
            self._servers.clear()
            thread = self._thread
        self._changed.set()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while self._is_busy():
            self._delete_all()
            pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
            if self._changed.wait(pause):
                self._changed.clear()
                pause = FIRST_PAUSE_SECONDS

    def _is_busy(self) -> bool:
        with self._lock:
            if not self._servers:
                self._thread = None
            return bool(self._servers)

    def _delete_all(self) -> None:
        """Under the lock, so that a server that is kept is not deleted a moment later."""
        with self._lock:
            for key, (_, deadline) in list(self._servers.items()):
                try:
                    deleted = self._delete(key, overdue=deadline is not None and deadline.passed)
                except DriverError as error:
                    log.info("cannot delete a server", action="delete server", error=str(error))
                    return
                if deleted:
                    del self._servers[key]

    def _delete(self, key: ServerKey, *, overdue: bool) -> bool:
        backend, server = key
        commands = [session_end(backend, server)] if overdue else []
        answers = self._admin.ask_all([*commands, deletion(backend, server)])
        return is_deleted(answers[-1].text)
