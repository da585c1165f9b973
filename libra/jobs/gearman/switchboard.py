"""The jobs of thousands of functions in one thread, each over connections of its own: for simulated fleets."""

import select
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from libra.jobs.base import TakenJob
from libra.jobs.gearman.backoff import Backoff
from libra.jobs.gearman.bell import Bell
from libra.jobs.gearman.deadline import Deadline
from libra.jobs.gearman.packets import ensure_function, quiet_gear
from libra.jobs.gearman.session import ASK_AGAIN_SECONDS, Desk, Session
from libra.jobs.gearman.shelf import Shelf
from libra.jobs.gearman.wire import Wire, WireError, name_server

if TYPE_CHECKING:
    from libra.config.settings import JobServerSettings

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 1.0
FIRST_BACKOFF_SECONDS = 0.1
MOST_BACKOFF_SECONDS = 2.0
CONNECTS_A_TURN = 200
TAKEN_AHEAD = 4
MOST_BYTES_AHEAD = 16 * 1024 * 1024


@dataclass(eq=False, slots=True)
class _Line:
    """One function at one server; without a session it is to be connected."""

    desk: Desk
    server: int
    wire: Wire | None = None
    session: Session | None = None
    registered: bool = False


@dataclass(eq=False, slots=True)
class _Station:
    """One function. A muted one says nothing and hears nothing, as a host that is frozen or cut off."""

    name: str
    lines: list[_Line] = field(default_factory=list)
    muted: bool = False


class Switchboard:
    """For one thread, which calls `take` again and again; jobs may be answered by any.

    A server that does not even refuse a connection holds everything up for a second at each attempt.
    """

    def __init__(self, servers: "Sequence[JobServerSettings]") -> None:
        quiet_gear()
        self._servers = list(servers)
        self._backoffs = [Backoff(FIRST_BACKOFF_SECONDS, MOST_BACKOFF_SECONDS) for _ in servers]
        self._pauses = [Deadline(0.0) for _ in servers]
        self._bell = Bell()
        self._poll = select.epoll()
        self._poll.register(self._bell.fileno(), select.EPOLLIN)
        self._stations: dict[str, _Station] = {}
        self._lines: dict[int, tuple[_Station, _Line]] = {}  # by the socket's number
        self._lost: list[tuple[_Station, _Line]] = []
        self._all_due = Deadline(ASK_AGAIN_SECONDS / 2)
        self.fault = ""
        """Why a server could not be connected, of the last attempt."""

    def plug(self, name: str) -> None:
        """Register a function, as far as its servers are there; it is connected by `take`."""
        ensure_function(name)
        station = _Station(name)
        for number in range(len(self._servers)):
            desk = Desk(name.encode(), Shelf(TAKEN_AHEAD, MOST_BYTES_AHEAD))
            station.lines.append(_Line(desk, number))
        self._stations[name] = station
        self._lost += [(station, line) for line in station.lines]

    def unplug(self, name: str) -> None:
        """Close its connections: what it has not answered is given out again."""
        station = self._stations.pop(name)
        self._lost = [item for item in self._lost if item[0] is not station]
        for line in station.lines:
            self._hang_up(line)

    def mute(self, name: str, *, muted: bool) -> None:
        """Leave its connections open and unread, or go on with them."""
        station = self._stations[name]
        station.muted = muted
        for line in station.lines:
            if line.wire is not None:
                self._poll.modify(line.wire.fileno(), 0 if muted else select.EPOLLIN)

    def connected(self) -> int:
        """How many functions are registered at every server."""
        stations = self._stations.values()
        return sum(all(line.registered for line in station.lines) for station in stations)

    def take(self, timeout: float) -> list[tuple[str, TakenJob]]:
        """What has come within that many seconds: the function and its job. Empty where nothing has."""
        self._connect_some()
        ready = self._poll.poll(0.0 if self._is_due() else timeout)
        taken: list[tuple[str, TakenJob]] = []
        for station, line in self._choose(number for number, _event in ready):
            self._turn(station, line)
            while (job := line.desk.shelf.take(0.0)) is not None:
                taken.append((station.name, job))
        return taken

    def close(self) -> None:
        """Every connection."""
        for name in list(self._stations):
            self.unplug(name)
        self._poll.close()
        self._bell.close()

    def _choose(self, numbers: Iterable[int]) -> list[tuple[_Station, _Line]]:
        if self._all_due.passed():
            self._all_due = Deadline(ASK_AGAIN_SECONDS / 2)
            return [item for item in self._lines.values() if not item[0].muted]
        self._bell.quiet()
        return [self._lines[number] for number in numbers if number in self._lines]

    def _turn(self, station: _Station, line: _Line) -> None:
        try:
            if line.session is not None:
                line.session.turn()
        except WireError as error:
            name = name_server(self._servers[line.server])
            log.debug("a connection is lost", action="register", server=name, error=str(error))
            self._hang_up(line)
            self._lost.append((station, line))

    def _is_due(self) -> bool:
        return any(self._pauses[line.server].passed() for _, line in self._lost)

    def _connect_some(self) -> None:
        """A server that refuses one connection is not asked for the others before its pause is over."""
        tried, self._lost = self._lost[:CONNECTS_A_TURN], self._lost[CONNECTS_A_TURN:]
        for station, line in tried:
            if not self._pauses[line.server].passed() or not self._connect(station, line):
                self._lost.append((station, line))

    def _connect(self, station: _Station, line: _Line) -> bool:
        wire = Wire(self._servers[line.server])

        def note(registered: bool) -> None:
            line.registered = registered

        try:
            wire.connect(Deadline(CONNECT_SECONDS))
            session = Session(wire, line.desk, self._bell, note)
            session.begin()
        except WireError as error:
            wire.close()
            self.fault = f"{name_server(self._servers[line.server])}: {error}"
            self._pauses[line.server] = Deadline(self._backoffs[line.server].fail())
            return False
        self._backoffs[line.server].succeed()
        self.fault = ""
        line.wire, line.session = wire, session
        self._lines[wire.fileno()] = station, line
        self._poll.register(wire.fileno(), 0 if station.muted else select.EPOLLIN)
        return True

    def _hang_up(self, line: _Line) -> None:
        if line.wire is None or line.session is None:
            return
        self._lines.pop(line.wire.fileno())
        self._poll.unregister(line.wire.fileno())
        line.session.end()
        line.wire.close()
        line.wire, line.session, line.registered = None, None, False
