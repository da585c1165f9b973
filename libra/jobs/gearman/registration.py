"""Keeps one function registered at one job server."""

import threading
from typing import TYPE_CHECKING

import structlog

from libra.jobs.gearman.backoff import Backoff
from libra.jobs.gearman.bell import Bell
from libra.jobs.gearman.deadline import Deadline
from libra.jobs.gearman.session import Desk, Session
from libra.jobs.gearman.wire import Wire, WireError, name_server

if TYPE_CHECKING:
    from libra.config.settings import JobServerSettings

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 3.0
LINGER_SECONDS = 1.0
FIRST_BACKOFF_SECONDS = 0.1
MOST_BACKOFF_SECONDS = 2.0


class Registration:
    """One thread, one server: connects, serves, and connects again after a pause, until the source closes.

    A thread a server, so that one that hangs (a name server, a firewall that drops) keeps no other waiting.
    """

    def __init__(self, server: "JobServerSettings", desk: Desk) -> None:
        self._server = server
        self._name = name_server(server)
        self._desk = desk
        self._bell = Bell()
        self._backoff = Backoff(FIRST_BACKOFF_SECONDS, MOST_BACKOFF_SECONDS)
        self._leaving = threading.Event()
        self._registered = False
        self._session: Session | None = None
        self._heard = 0.0
        self._fault = ""
        self._thread = threading.Thread(target=self._run, name=f"jobs {self._name}", daemon=True)
        self._thread.start()

    @property
    def registered(self) -> bool:
        """Whether the server has answered since the function was registered; a frozen one has not."""
        return self._registered

    @property
    def heard(self) -> float:
        """When the server last said something, by `time.monotonic`; 0 where it never did."""
        session = self._session
        return max(self._heard, session.heard if session is not None else 0.0)

    def leave(self) -> None:
        """Notice that the desk drains or stops: no new connection is made."""
        self._leaving.set()
        self._bell.ring()

    def join(self, deadline: Deadline) -> None:
        """Wait for the thread's end. One that hangs in a name server's hands is left behind."""
        self._thread.join(deadline.left())

    def _run(self) -> None:
        while not self._leaving.is_set():
            try:
                self._serve()
            except WireError as error:
                self._note_fault(str(error))
            except Exception:
                log.exception("internal error", action="register", server=self._name)
            if not self._leaving.is_set():
                self._leaving.wait(self._backoff.fail())
        self._bell.close()

    def _serve(self) -> None:
        wire = Wire(self._server)
        try:
            wire.connect(Deadline(CONNECT_SECONDS))
            self._session = Session(wire, self._desk, self._bell, self._note_registered)
            self._session.run()
        finally:
            self._heard, self._session = self.heard, None
            self._registered = False
            # A lost connection has nobody who reads on.
            wire.close(LINGER_SECONDS if self._desk.stopping.is_set() else 0.0)

    def _note_registered(self, registered: bool) -> None:
        if registered == self._registered:
            return
        self._registered = registered
        if registered:
            self._fault = ""
            self._backoff.succeed()
            log.info("registered at the job server", action="register", server=self._name)
        else:
            self._note_fault("it does not answer")

    def _note_fault(self, fault: str) -> None:
        """An outage is one line in the log, however often the server is tried."""
        if fault != self._fault and not self._leaving.is_set():
            self._fault = fault
            log.warning(
                "cannot work for the job server", action="register", server=self._name, error=fault
            )
