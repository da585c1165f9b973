"""The ledger: totals that never go back, whatever processes come and go and whatever is missed."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from libra.drivers.haproxy.counters import (
    MOST_PROCESSES,
    NOTHING,
    Counters,
    Ledger,
    Process,
    Reading,
    RowName,
    fold,
    forget,
    retain,
)
from libra.drivers.haproxy.ledger import decode, encode

ROWS: tuple[RowName, ...] = (("fe-web", "FRONTEND"), ("be-web", "m0"), ("be-web", "m1"))
FRONT, ONE, OTHER = ROWS
P1, P2, P3 = Process(10, 1000), Process(11, 1010), Process(12, 1020)

amounts = st.builds(Counters, *(st.integers(0, 9) for _ in Counters._fields))


@dataclass
class Host:
    """Processes that count, and the truth about everything that they ever counted."""

    processes: dict[Process, dict[RowName, Counters]] = field(default_factory=dict)
    truth: dict[RowName, Counters] = field(default_factory=dict)
    clock: int = 1000

    def start(self, pid: int) -> None:
        self.clock += 1
        self.processes = {p: rows for p, rows in self.processes.items() if p.pid != pid}
        self.processes[Process(pid, self.clock)] = {}

    def serve(self, process: Process, row: RowName, amount: Counters) -> None:
        rows = self.processes[process]
        rows[row] = rows.get(row, NOTHING).plus(amount)
        self.truth[row] = self.truth.get(row, NOTHING).plus(amount)

    def read(self, missed: Iterable[Process] = (), *, master: bool = True) -> Reading:
        rows = {p: dict(rows) for p, rows in self.processes.items() if p not in missed}
        return Reading(rows, frozenset(p.pid for p in self.processes) if master else None)

    def shown(self, ledger: Ledger) -> dict[RowName, Counters]:
        return {name: counters for name, counters in ledger.totals.items() if any(counters)}


def never_less(now: Counters, before: Counters) -> bool:
    return all(new >= old for new, old in zip(now, before, strict=True))


@given(st.data())
def test_totals_never_go_back_and_never_hold_more_than_was_counted(data: st.DataObject) -> None:
    host, ledger = Host(), Ledger()
    for _ in range(data.draw(st.integers(1, 25))):
        processes = tuple(host.processes)
        event = data.draw(st.sampled_from(["serve", "serve", "start", "end", "read", "restart"]))
        if event == "serve" and processes:
            process = data.draw(st.sampled_from(processes))
            host.serve(process, data.draw(st.sampled_from(ROWS)), data.draw(amounts))
        elif event == "start":  # a pid that is in use is used again: all that a reboot may do
            host.start(data.draw(st.integers(1, 4)))
        elif event == "end" and processes:
            del host.processes[data.draw(st.sampled_from(processes))]
        elif event == "restart":
            ledger = decode(encode(ledger, "boot"), "boot")
        elif event == "read":
            missed = data.draw(st.sets(st.sampled_from(processes))) if processes else ()
            after = fold(ledger, host.read(missed, master=data.draw(st.booleans())))
            for row in ROWS:
                before = ledger.totals.get(row, NOTHING)
                assert never_less(after.totals.get(row, NOTHING), before)
                assert never_less(host.truth.get(row, NOTHING), after.totals.get(row, NOTHING))
            ledger = after


@given(st.data())
def test_totals_are_exact_where_every_process_is_read_before_it_ends(data: st.DataObject) -> None:
    host, ledger = Host(), Ledger()
    host.start(1)
    for _ in range(data.draw(st.integers(1, 25))):
        event = data.draw(st.sampled_from(["serve", "serve", "start", "end", "read"]))
        process = data.draw(st.sampled_from(tuple(host.processes)))
        if event == "serve":
            host.serve(process, data.draw(st.sampled_from(ROWS)), data.draw(amounts))
        elif event == "read":
            ledger = fold(ledger, host.read(master=data.draw(st.booleans())))
        else:
            ledger = fold(ledger, host.read())
            host.start(data.draw(st.integers(1, 4)))
            if event == "end" and process in host.processes:
                del host.processes[process]
    ledger = fold(ledger, host.read())
    assert host.shown(ledger) == {name: c for name, c in host.truth.items() if any(c)}
    assert fold(ledger, host.read()) == ledger


def test_a_reading_adds_only_what_is_new() -> None:
    ledger = fold(Ledger(), Reading({P1: {ONE: Counters(5, 6, 7, 8)}}))
    ledger = fold(ledger, Reading({P1: {ONE: Counters(6, 6, 9, 8)}}))
    assert ledger.totals == {ONE: Counters(6, 6, 9, 8)}


def test_old_and_new_processes_add_up() -> None:
    ledger = fold(Ledger(), Reading({P1: {ONE: Counters(sessions=5)}}))
    both = {P1: {ONE: Counters(sessions=6)}, P2: {ONE: Counters(sessions=2)}}
    ledger = fold(ledger, Reading(both, frozenset({10, 11})))
    assert ledger.totals == {ONE: Counters(sessions=8)}
    ledger = fold(ledger, Reading({P2: {ONE: Counters(sessions=3)}}, frozenset({11})))
    assert ledger.totals == {ONE: Counters(sessions=9)}
    assert set(ledger.seen) == {P2}


def test_a_process_that_lives_unread_goes_on_where_it_was() -> None:
    ledger = fold(Ledger(), Reading({P1: {ONE: Counters(sessions=5)}}))
    ledger = fold(ledger, Reading({P2: {}}, frozenset({10, 11})))
    ledger = fold(ledger, Reading({P1: {ONE: Counters(sessions=7)}}, frozenset({10, 11})))
    assert ledger.totals == {ONE: Counters(sessions=7)}


def test_a_pid_that_is_used_again_is_another_process() -> None:
    ledger = fold(Ledger(), Reading({P1: {ONE: Counters(sessions=5)}}))
    again = Process(P1.pid, P1.started + 60)
    ledger = fold(ledger, Reading({again: {ONE: Counters(sessions=9)}}))
    assert ledger.totals == {ONE: Counters(sessions=14)}
    assert set(ledger.seen) == {again}


def test_a_row_that_was_set_to_zero_counts_on() -> None:
    assert Counters(3, 900, 1, 0).since(Counters(2, 1000, 5, 0)) == Counters(3, 900, 1, 0)
    ledger = fold(Ledger(), Reading({P1: {ONE: Counters(bytes_in=100)}}))
    ledger = fold(ledger, Reading({P1: {}}))
    ledger = fold(ledger, Reading({P1: {ONE: Counters(bytes_in=100)}}))
    assert ledger.totals == {ONE: Counters(bytes_in=200)}


def test_what_is_gone_is_dropped_and_starts_afresh_when_it_comes_back() -> None:
    ledger = fold(Ledger(), Reading({P1: {ONE: Counters(1), OTHER: Counters(2)}}))
    ledger = retain(ledger, {ONE})
    assert ledger.totals == {ONE: Counters(1)}
    ledger = fold(ledger, Reading({P1: {ONE: Counters(1), OTHER: Counters(5)}}))
    assert ledger.totals == {ONE: Counters(1), OTHER: Counters(3)}


def test_after_forgetting_old_processes_count_no_more() -> None:
    last = Reading({P1: {ONE: Counters(5)}, P2: {ONE: Counters(2)}}, frozenset({10, 11, 12}))
    ledger = fold(Ledger(), Reading({P3: {ONE: Counters(1)}}, frozenset({12})))
    ledger = forget(ledger, last, serving={P2})
    assert ledger.totals == {}
    assert ledger.ignored == {P1, P3}
    alive = frozenset({10, 11, 12})
    counted = {P1: {ONE: Counters(50)}, P2: {ONE: Counters(3)}, P3: {ONE: Counters(70)}}
    ledger = fold(ledger, Reading(counted, alive))
    assert ledger.totals == {ONE: Counters(1)}
    assert fold(ledger, Reading({P2: {}}, frozenset({11}))).ignored == frozenset()


def test_it_stays_small_without_a_master() -> None:
    ledger = Ledger()
    for number in range(3 * MOST_PROCESSES):
        ledger = fold(ledger, Reading({Process(number, number): {ONE: Counters(1)}}))
    assert ledger.totals == {ONE: Counters(3 * MOST_PROCESSES)}
    assert len(ledger.seen) == MOST_PROCESSES
    assert min(process.started for process in ledger.seen) == 2 * MOST_PROCESSES


def test_nothing_counted_takes_no_room() -> None:
    ledger = fold(Ledger(), Reading({P1: dict.fromkeys(ROWS, NOTHING)}))
    assert ledger == Ledger(seen={P1: {}})
