"""Counters that only ever grow, over processes that come and go. Pure.

A HAProxy process counts from zero and takes its numbers with it when it ends; after a reload several of them count
side by side. The ledger holds a total a row, and for each process that may still live what has been added from it
already. A reading adds only what is new, so a total never goes back, whatever is missed, repeated or restarted.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

RowName = tuple[str, str]  # proxy and server, the latter also "FRONTEND" or "BACKEND"

MOST_PROCESSES = 64  # kept where nobody can say which ones live


class Counters(NamedTuple):
    """What one row has counted; what each number means is said where the row is read."""

    bytes_in: int = 0
    bytes_out: int = 0
    sessions: int = 0
    errors: int = 0
    requests: int = 0

    def plus(self, other: "Counters") -> "Counters":
        """The sum."""
        return Counters(
            self.bytes_in + other.bytes_in,
            self.bytes_out + other.bytes_out,
            self.sessions + other.sessions,
            self.errors + other.errors,
            self.requests + other.requests,
        )

    def since(self, before: "Counters") -> "Counters":
        """What was added; all of it where any number is less than before, for then the row was set to zero."""
        added = Counters(
            self.bytes_in - before.bytes_in,
            self.bytes_out - before.bytes_out,
            self.sessions - before.sessions,
            self.errors - before.errors,
            self.requests - before.requests,
        )
        return self if min(added) < 0 else added


class Process(NamedTuple):
    """One process for good: pids are used again, `started` (seconds since 1970) tells them apart."""

    pid: int
    started: int


Rows = Mapping[RowName, Counters]
NOTHING = Counters()


@dataclass(frozen=True, slots=True)
class Ledger:
    """`seen` is what `totals` already holds of each process; nothing counts that comes from `ignored` ones.

    Rows that have counted nothing are left out.
    """

    totals: Rows = field(default_factory=dict)
    seen: Mapping[Process, Rows] = field(default_factory=dict)
    ignored: frozenset[Process] = frozenset()


@dataclass(frozen=True, slots=True)
class Reading:
    """What the processes said. `alive` are the pids that live, read or not; None where nobody could say."""

    rows: Mapping[Process, Rows]
    alive: frozenset[int] | None = None

    def may_live(self, process: Process) -> bool:
        """False only where it is certain that the process has ended."""
        if process in self.rows:
            return True
        if any(other.pid == process.pid for other in self.rows):
            return False  # its pid is another's by now
        return self.alive is None or process.pid in self.alive


def fold(ledger: Ledger, reading: Reading) -> Ledger:
    """The ledger with everything added that the processes have counted since they were read last."""
    totals = dict(ledger.totals)
    seen = _living(ledger, reading)
    for process, rows in reading.rows.items():
        if process not in ledger.ignored:
            _add(totals, rows, ledger.seen.get(process, {}))
            seen[process] = {name: counters for name, counters in rows.items() if any(counters)}
    return Ledger(totals, _bounded(seen), frozenset(filter(reading.may_live, ledger.ignored)))


def retain(ledger: Ledger, names: Container[RowName]) -> Ledger:
    """Without the totals of other rows.

    What was seen of them stays as long as their process lives, so that a row that comes back starts afresh.
    """
    if all(name in names for name in ledger.totals):
        return ledger
    totals = {name: counters for name, counters in ledger.totals.items() if name in names}
    return Ledger(totals, ledger.seen, ledger.ignored)


def forget(ledger: Ledger, reading: Reading, serving: Container[Process]) -> Ledger:
    """Nothing left, and nothing more to come from processes that only finish old connections."""
    known = {*reading.rows, *filter(reading.may_live, ledger.seen), *ledger.ignored}
    return Ledger(
        seen={process: rows for process, rows in reading.rows.items() if process in serving},
        ignored=frozenset(process for process in known if process not in serving),
    )


def _add(totals: dict[RowName, Counters], rows: Rows, before: Rows) -> None:
    for name, counters in rows.items():
        last = before.get(name, NOTHING)
        if counters != last:
            totals[name] = totals.get(name, NOTHING).plus(counters.since(last))


def _living(ledger: Ledger, reading: Reading) -> dict[Process, Rows]:
    return {process: rows for process, rows in ledger.seen.items() if reading.may_live(process)}


def _bounded(seen: dict[Process, Rows]) -> dict[Process, Rows]:
    if len(seen) <= MOST_PROCESSES:
        return seen
    latest = sorted(seen, key=lambda process: process.started)[-MOST_PROCESSES:]
    return {process: seen[process] for process in latest}
