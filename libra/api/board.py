"""The status of every node in memory, so that a health check costs a look into a dictionary and no database."""

import threading
import time

import structlog

from libra.errors import StorageUnavailable
from libra.model.nodestatus import Board, NodeStatus
from libra.storage.base import UnitOfWork
from libra.usecases.nodestatus import load_board
from libra.usecases.services import Services

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.25  # what another controller has stored is seen within that
WHOLE_SECONDS = 30.0  # whatever happens, everything is read that often
KIND = "node"  # events of nodes and their groups begin so


class NodeBoard:
    """Between `start` and `stop` a thread keeps it as the database is; what was known last stays where that is away."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._board: Board | None = None
        self._seen = 0  # the newest event that is in the board
        self._read_at = 0.0
        self._reading = threading.Lock()  # or an older answer could overtake a newer one
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_known(self) -> bool:
        """False until it was read once."""
        return self._board is not None

    def start(self) -> None:
        """It is known when this returns, unless the database does not answer. Idempotent."""
        if self._thread is not None:
            return
        self._stopping.clear()
        self._try()
        self._thread = threading.Thread(target=self._follow, name="nodes", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Idempotent."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def look(self, name: str, group: str = "") -> NodeStatus | None:
        """None where there is no such node, or not in that group."""
        found = (self._board or {}).get(name)
        if found is None or (group and found[0] != group):
            return None
        return found[1]

    def refresh(self) -> None:
        """Read it now: whoever has changed it sees that with the next health check. Raises `StorageUnavailable`."""
        with self._reading:
            seen = self._services.storage.look(_newest)
            self._board = load_board(self._services)  # after: what comes between is read twice
            self._seen, self._read_at = seen, time.monotonic()

    def refresh_quietly(self) -> None:
        """The same for who has stored a change and must not fail any more."""
        try:
            self.refresh()
        except StorageUnavailable as error:
            log.warning("cannot read the nodes now", action="look", error=str(error))

    def _follow(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            self._try()

    def _try(self) -> None:
        try:
            if self._is_stale():
                self.refresh()
        except StorageUnavailable as error:
            log.debug("cannot look for changed nodes now", action="look", error=str(error))
        except Exception:
            log.exception("internal error", action="look")

    def _is_stale(self) -> bool:
        """Whether something may have happened to a node since."""
        if self._board is None or time.monotonic() - self._read_at > WHOLE_SECONDS:
            return True
        seen = self._seen
        newest = self._services.storage.look(_newest)
        if newest == seen:
            return False
        found = self._services.storage.look(
            lambda unit: unit.events.since(seen, limit=1, kind_prefix=KIND)
        )
        if found or newest < seen:
            return True
        self._seen = max(self._seen, newest)
        return False


def _newest(unit: UnitOfWork) -> int:
    return unit.figures.newest_event()
