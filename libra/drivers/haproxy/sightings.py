"""What each HAProxy process says of itself: the one that serves, and old ones that finish their connections."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import structlog

from libra.drivers.haproxy.counters import Counters, Process, Reading, RowName
from libra.drivers.haproxy.master import MasterSocket
from libra.drivers.haproxy.rows import Table
from libra.drivers.haproxy.runtime import AdminSocket
from libra.drivers.haproxy.stats import parse_stat
from libra.errors import DriverError

log = structlog.get_logger(__name__)

INFO = "show info"
STAT = "show stat -1 7 -1"  # frontends, backends and servers; no row a bind line


@dataclass(frozen=True, slots=True)
class Sighting:
    """One process at one moment. `stopping`: it takes no new connections."""

    process: Process
    stopping: bool
    connections: int
    table: Table

    def counters(self) -> dict[RowName, Counters]:
        """The counters alone."""
        return {name: row.counters for name, row in self.table.items()}


@dataclass(frozen=True, slots=True)
class Sightings:
    """`first` is the one that answers at the admin socket; `alive` is None where the master did not say."""

    first: Sighting
    others: tuple[Sighting, ...]
    alive: frozenset[int] | None

    def __iter__(self) -> Iterator[Sighting]:
        return iter((self.first, *self.others))

    def reading(self) -> Reading:
        """The counters alone."""
        return Reading({item.process: item.counters() for item in self}, self.alive)


def observe(admin: AdminSocket, master: MasterSocket) -> Sightings:
    """Ask every process; raises `ProxyNotRunning` unless the admin socket answers.

    The master and the old processes may be silent (a reload, an end): what they counted is then read next time.
    """
    info, stat = (answer.text for answer in admin.ask_all((INFO, STAT)))
    first = parse_sighting(info, stat)
    pids = _pids(master)
    others = _observe_others(master, () if pids is None else sorted(pids - {first.process.pid}))
    alive = None if pids is None else frozenset({first.process.pid, *pids})
    return Sightings(first, tuple(others), alive)


def parse_sighting(info: str, stat: str) -> Sighting:
    """The answers to INFO and STAT of one process; raises `DriverError`."""
    fields = parse_info(info)
    return Sighting(
        process=Process(fields["Pid"], fields["Start_time_sec"]),
        stopping=bool(fields["Stopping"]),
        connections=fields["CurrConns"],
        table=parse_stat(stat),
    )


def parse_info(text: str) -> dict[str, int]:
    """The numbers in the answer to `show info` that say which process it is; raises `DriverError`.

    Old HAProxys do not tell Start_time_sec: 0, so that the pid alone has to do.
    """
    lines = (line.partition(": ") for line in text.splitlines())
    fields = {name: int(value) for name, _, value in lines if value.isdecimal()}
    if "Pid" not in fields:
        raise DriverError("cannot read HAProxy's answer to 'show info': no Pid is in it")
    return {"Start_time_sec": 0, "Stopping": 0, "CurrConns": 0} | fields


def _pids(master: MasterSocket) -> frozenset[int] | None:
    try:
        processes = master.show_processes()
    except DriverError as error:
        log.info("the master does not answer", action="read statistics", error=str(error))
        return None
    return frozenset(worker.pid for worker in (*processes.workers, *processes.old_workers))


def _observe_others(master: MasterSocket, pids: Iterable[int]) -> Iterator[Sighting]:
    for pid in pids:
        try:
            info, stat = (master.ask_worker(pid, command) for command in (INFO, STAT))
            yield parse_sighting(info, stat)
        except DriverError as error:
            log.debug("an old process does not answer", action="read statistics", error=str(error))
