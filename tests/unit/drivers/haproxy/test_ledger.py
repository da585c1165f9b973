"""The ledger's file: whole or not at all, set aside when it cannot be read."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from libra.daemon.boot import read_boot_id
from libra.drivers.haproxy.counters import Counters, Ledger, Process
from libra.drivers.haproxy.ledger import LedgerFile, decode, encode
from libra.errors import StateError

numbers = st.integers(0, 2**64)
rows = st.dictionaries(
    st.tuples(st.text(), st.text()),
    st.builds(Counters, *(numbers for _ in Counters._fields)),
    max_size=5,
)
processes = st.builds(Process, numbers, numbers)
ledgers = st.builds(
    Ledger, rows, st.dictionaries(processes, rows, max_size=3), st.frozensets(processes, max_size=3)
)
SOME = Ledger({("be-web", "m0"): Counters(1, 2, 3, 4)}, {Process(7, 8): {}}, frozenset())


@given(ledgers)
def test_what_is_written_is_read(ledger: Ledger) -> None:
    assert decode(encode(ledger, "b1"), "b1") == ledger


def test_a_file_of_an_earlier_release_is_read() -> None:
    data = (Path(__file__).parents[3] / "data" / "states" / "counters-1.json").read_bytes()
    assert decode(data, "b1") == Ledger(
        {("be-15", "web-1"): Counters(1, 2, 3, 4)},
        {Process(7, 8): {("fe-15", "FRONTEND"): Counters(5, 6, 7, 8)}},
        frozenset({Process(9, 10)}),
    )


def test_after_a_reboot_no_process_is_known_but_totals_stay() -> None:
    ledger = Ledger(SOME.totals, {Process(7, 8): SOME.totals}, frozenset({Process(9, 9)}))
    assert decode(encode(ledger, "b1"), "b2") == Ledger(SOME.totals)


def test_saved_and_loaded(tmp_path: Path) -> None:
    file = LedgerFile(tmp_path / "counters.json")
    assert file.load() == Ledger()
    file.save(SOME)
    assert LedgerFile(tmp_path / "counters.json").load() == SOME
    assert [path.name for path in tmp_path.iterdir()] == ["counters.json"]


GOOD = json.loads(encode(SOME, "b"))
BROKEN = [
    b"",
    b"\x00" * 100,
    encode(SOME, "b")[:-10],
    b"[" * 5000,
    b"[]",
    b"3",
    b"{}",
    json.dumps(GOOD | {"format": 2}).encode(),
    json.dumps(GOOD | {"totals": {"be": {"m": [1, 2, -3, 4]}}}).encode(),
    json.dumps(GOOD | {"totals": {"be": {"m": [1, 2, 3.5, 4]}}}).encode(),
    json.dumps(GOOD | {"totals": {"be": {"m": [1, 2, True, 4]}}}).encode(),
    json.dumps(GOOD | {"totals": {"be": {"m": [1, 2, 3, 4, 5, 6]}}}).encode(),
    json.dumps(GOOD | {"totals": {"be": 5}}).encode(),
    json.dumps(GOOD | {"seen": [5]}).encode(),
    json.dumps(GOOD | {"ignored": [[1]]}).encode(),
]


@pytest.mark.parametrize("data", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_file_is_set_aside_and_logged(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "counters.json"
    path.write_bytes(data)
    with capture_logs() as logs:
        assert LedgerFile(path, "b").load() == Ledger()
    assert [entry["log_level"] for entry in logs] == ["error"]
    assert not path.exists()
    assert (tmp_path / "counters.json.unreadable").read_bytes() == data


def test_a_file_that_cannot_even_be_set_aside_is_not_fatal(tmp_path: Path) -> None:
    (tmp_path / "counters.json").mkdir()
    (tmp_path / "counters.json.unreadable").write_text("in the way")
    with capture_logs() as logs:
        assert LedgerFile(tmp_path / "counters.json").load() == Ledger()
    assert [entry["log_level"] for entry in logs] == ["error", "warning"]


def test_a_failed_save_says_so_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "counters.json"
    path.mkdir()
    with pytest.raises(StateError, match=f"cannot save the counters to {path}: Is a directory"):
        LedgerFile(path).save(SOME)
    with pytest.raises(StateError, match="No such file or directory"):
        LedgerFile(tmp_path / "missing" / "counters.json").save(SOME)


def test_the_kernel_says_which_boot_it_is() -> None:
    assert len(read_boot_id()) == 36


def test_a_ledger_without_requests_goes_on() -> None:
    older = GOOD | {"totals": {"be": {"m": [1, 2, 3, 4]}}}
    assert decode(json.dumps(older).encode(), read_boot_id()).totals == {
        ("be", "m"): Counters(1, 2, 3, 4, 0)
    }
