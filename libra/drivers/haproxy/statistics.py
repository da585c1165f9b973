"""Statistics of the load balancers: read from every HAProxy process, added up, kept, reported."""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import structlog

from libra.drivers.haproxy.anchors import Anchors
from libra.drivers.haproxy.counters import Ledger, Reading, RowName, fold, forget, retain
from libra.drivers.haproxy.ledger import LedgerFile
from libra.drivers.haproxy.master import MasterSocket
from libra.drivers.haproxy.pinging.health import PingOutcome
from libra.drivers.haproxy.pinging.rows import with_pings
from libra.drivers.haproxy.report import Observed, build_report, row_names
from libra.drivers.haproxy.runtime import AdminSocket
from libra.drivers.haproxy.sightings import Sighting, Sightings, observe
from libra.errors import DriverError, StateError
from libra.model.loadbalancer import Desired
from libra.model.statistics import LoadBalancerStatistics

log = structlog.get_logger(__name__)


class StatisticsReader:
    """Counters never go back: what is reported was on disk before, so that no crash can undercut it.

    Call `hold` before a reload, `snapshot` before a process or a server is ended otherwise, `close` at the end.
    Threads may share it.
    """

    def __init__(self, admin: AdminSocket, master: MasterSocket, ledger: Path) -> None:
        self._admin = admin
        self._master = master
        self._file = LedgerFile(ledger)
        self._lock = threading.Lock()
        self._ledger: Ledger | None = None
        self._saved = Ledger()
        self._anchors = Anchors(admin.path, self._take_in)

    def read(
        self, desired: Desired, pings: Mapping[RowName, PingOutcome | None] | None = None
    ) -> tuple[LoadBalancerStatistics, ...]:
        """One entry a desired load balancer; raises `ProxyNotRunning` unless HAProxy answers, `DriverError`.

        `pings` are the servers that are pinged, and what came of that, which HAProxy knows nothing about.

        Totals of load balancers and members that neither are desired nor run any more are dropped.
        """
        with self._lock:
            sightings = observe(self._admin, self._master)
            ledger = fold(self._load(), sightings.reading())
            self._keep(drop_strangers(ledger, desired, sightings))
            totals = self._saved.totals
            sessions = sum_sessions(
                item for item in sightings if item.process not in ledger.ignored
            )
        first = sightings.first
        table = with_pings(first.table, pings or {})
        return build_report(desired, Observed(table, sessions, totals, first.stopping))

    def snapshot(self) -> None:
        """Take in what the processes have counted up to now. Never raises: where nobody answers, nothing is lost."""
        with self._lock:
            try:
                sightings = observe(self._admin, self._master)
            except DriverError as error:
                log.info("no counters to take in", action="snapshot", error=str(error))
                return
            self._keep(fold(self._load(), sightings.reading()))

    def hold(self) -> None:
        """Call before a reload: the process that serves now lives on until its last numbers have been taken in."""
        if not self._anchors.hold():
            self.snapshot()

    def forget(self) -> None:
        """Drop everything; connections that old processes still finish count no more."""
        with self._lock:
            ledger = Ledger()
            with suppress(DriverError):
                sightings = observe(self._admin, self._master)
                serving = [item.process for item in sightings if not item.stopping]
                ledger = forget(self._load(), sightings.reading(), serving)
            self._keep(ledger)

    def close(self) -> None:
        """Let go of old processes: they end as soon as they are ready to."""
        self._anchors.close()

    def _take_in(self, last: Sighting) -> None:
        with self._lock:
            self._keep(fold(self._load(), Reading({last.process: last.counters()})))

    def _load(self) -> Ledger:
        if self._ledger is None:
            self._ledger = self._saved = self._file.load()
        return self._ledger

    def _keep(self, ledger: Ledger) -> None:
        """Where it cannot be saved, what was saved last goes on being reported."""
        self._ledger = ledger
        if ledger == self._saved:
            return
        try:
            self._file.save(ledger)
            self._saved = ledger
        except StateError as error:
            log.warning("counters stand still", action="save counters", error=str(error))


def drop_strangers(ledger: Ledger, desired: Desired, sightings: Sightings) -> Ledger:
    """Rows of the process that serves stay: the desired state may have been read a moment before it was changed."""
    running = {name for item in sightings if not item.stopping for name in item.table}
    if running.issuperset(ledger.totals):
        return ledger  # names of thousands of members need not be built
    return retain(ledger, running.union(row_names(desired)))


def sum_sessions(sightings: Iterable[Sighting]) -> Counter[RowName]:
    """Current sessions over all of these processes."""
    sessions: Counter[RowName] = Counter()
    for item in sightings:
        for name, row in item.table.items():
            if row.current_sessions:
                sessions[name] += row.current_sessions
    return sessions
