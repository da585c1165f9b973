"""Submits jobs to the first job server that takes them."""

import itertools
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gear import constants

from libra.errors import JobServerUnavailable
from libra.jobs.base import Priority
from libra.jobs.gearman.backoff import Backoff
from libra.jobs.gearman.deadline import Deadline
from libra.jobs.gearman.exchange import Exchange, Job, LostBefore, NotAccepted
from libra.jobs.gearman.packets import ensure_function, ensure_sendable, quiet_gear
from libra.jobs.gearman.wire import Wire, WireError, name_server

if TYPE_CHECKING:
    from libra.config.settings import JobServerSettings

PATIENCE_SECONDS = 1.0
FIRST_BACKOFF_SECONDS = 1.0
MOST_BACKOFF_SECONDS = 30.0
MOST_IDLE = 8


class GearmanJobClient:
    """A `JobClient` on Gearman servers, safe for several threads. It has no threads of its own.

    Every job has a connection to itself while it runs; afterwards the connection serves the next one. So closing
    it is how a job is given up: the server then drops the job where no worker has begun with it, and lets it run
    to its end where one has. A lost or silent server costs one job at most `patience_seconds`, and is then asked
    last for a while. Jobs go to the servers in turn.
    """

    def __init__(
        self, servers: "Sequence[JobServerSettings]", *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        quiet_gear()
        self._entrances = [_Entrance(server, patience_seconds) for server in servers]
        self._turn = itertools.count()
        self._closed = False

    def submit(
        self, function: str, payload: bytes, *, timeout: float, priority: Priority = Priority.NORMAL
    ) -> bytes:
        """The reply to one job; see `JobClient`. `Invalid` for more than 64 MiB, or no function."""
        return self._submit(Job(function, payload, priority, timeout))

    def leave(self, function: str, payload: bytes, *, unique: str, timeout: float) -> None:
        """See `JobClient`."""
        self._submit(Job(function, payload, Priority.NORMAL, timeout, unique))

    def _submit(self, job: Job) -> bytes:
        ensure_function(job.function)
        ensure_sendable(len(job.payload))
        deadline = Deadline(job.timeout)
        faults = []
        for entrance in self._in_order():
            if self._closed:
                raise JobServerUnavailable("cannot submit a job: the client is closed")
            try:
                return entrance.run(job, deadline)
            except NotAccepted as fault:
                faults.append(f"{entrance.name}: {fault}")
            if deadline.passed():
                break
        raise JobServerUnavailable(f"cannot submit a job to {'; '.join(faults)}")

    def close(self) -> None:
        """Close every connection; who still waits for a reply gets `JobServerUnavailable`."""
        self._closed = True
        for entrance in self._entrances:
            entrance.close()

    def _in_order(self) -> list["_Entrance"]:
        """Every server: the good ones in turn, then the failing ones, those first that are due first."""
        start = next(self._turn) % len(self._entrances)
        turned = self._entrances[start:] + self._entrances[:start]
        return sorted(turned, key=lambda entrance: entrance.rank())


class _Entrance:
    """One server: its idle connections, and whether it is to be avoided for now."""

    def __init__(self, server: "JobServerSettings", patience_seconds: float) -> None:
        self.name = name_server(server)
        self._server = server
        self._patience = patience_seconds
        self._backoff = Backoff(FIRST_BACKOFF_SECONDS, MOST_BACKOFF_SECONDS)
        self._lock = threading.Lock()
        self._idle: list[Wire] = []
        self._busy: set[Wire] = set()
        self._closed = False

    def rank(self) -> float:
        """0 for a good server, else when it may be tried again."""
        return 0.0 if self._backoff.due() else self._backoff.until

    def run(self, job: Job, deadline: Deadline) -> bytes:
        """The reply. Raises `NotAccepted` where another server may be asked, else as `JobClient.submit`."""
        try:
            reply = self._run(job, deadline)
        except NotAccepted:
            self._backoff.fail()
            raise
        self._backoff.succeed()
        return reply

    def close(self) -> None:
        """Close the idle connections, and wake those who wait on the others, who close them."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for wire in self._busy:
                wire.abort()
        for wire in idle:
            wire.close()

    def _run(self, job: Job, deadline: Deadline) -> bytes:
        wire = self._take_idle()
        if wire is not None:
            try:
                return self._exchange(wire, job, deadline)
            except LostBefore:
                pass  # it went stale in that very moment, as when the server is restarted
        return self._exchange(self._open(deadline), job, deadline)

    def _exchange(self, wire: Wire, job: Job, deadline: Deadline) -> bytes:
        wire.limit = deadline
        exchange = Exchange(wire, job, deadline)
        try:
            exchange.submit(self._patience)
            return exchange.reply() if job.unique is None else b""
        finally:
            # Also when interrupted from the keyboard: closing is what withdraws the job.
            self._give_back(wire, reusable=exchange.reusable)

    def _take_idle(self) -> Wire | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                wire = self._idle.pop()
                self._busy.add(wire)
            if wire.is_silent():  # else it was closed, or something was said that nobody asked for
                return wire
            self._give_back(wire, reusable=False)

    def _open(self, deadline: Deadline) -> Wire:
        wire = Wire(self._server, stall_seconds=self._patience)
        wire.limit = deadline
        with self._lock:
            if self._closed:
                raise NotAccepted("the client is closed")
            self._busy.add(wire)
        try:
            wire.connect(deadline.within(self._patience))
            # Without it gearmand keeps a worker's exception to itself, and the job never ends.
            wire.send(constants.OPTION_REQ, b"exceptions")
        except WireError as error:
            self._give_back(wire, reusable=False)
            raise LostBefore(str(error)) from error
        return wire

    def _give_back(self, wire: Wire, *, reusable: bool) -> None:
        with self._lock:
            self._busy.discard(wire)
            if reusable and not self._closed and len(self._idle) < MOST_IDLE:
                self._idle.append(wire)
                return
        wire.close()
