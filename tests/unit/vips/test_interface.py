"""The adapter: notes before it acts, takes off only its own, tells its neighbours."""

from pathlib import Path

import pytest

from libra.errors import DriverError
from tests.support.vips import HOST, VipBench, addresses, on_eth0

ONE, TWO = addresses("10.0.0.70"), addresses("10.0.0.71")


@pytest.fixture
def bench(tmp_path: Path) -> VipBench:
    return VipBench(tmp_path)


def test_it_puts_on_and_takes_off(bench: VipBench) -> None:
    bench.vips.hold(ONE | addresses("fd00::70"))
    assert bench.added == {"10.0.0.70", "fd00::70"}
    bench.vips.hold(ONE | TWO)
    assert bench.added == {"10.0.0.70", "10.0.0.71", "fd00::70"}
    bench.vips.release(TWO)
    assert bench.added == {"10.0.0.71"}


def test_a_new_process_takes_off_what_the_old_one_put_on(bench: VipBench) -> None:
    bench.vips.hold(ONE | TWO)
    bench.restart()
    bench.vips.hold(ONE)
    bench.vips.release(ONE)
    assert bench.added == {"10.0.0.70"}


def test_what_others_put_on_stays(bench: VipBench) -> None:
    bench.kernel.has.add(on_eth0("10.0.0.70"))
    bench.vips.hold(ONE)
    bench.vips.release(frozenset())
    assert bench.added == {"10.0.0.70"}
    assert HOST in bench.kernel.has


def test_after_a_boot_nothing_is_ours(bench: VipBench) -> None:
    """An administrator may have given the host that address for good by then."""
    bench.vips.hold(ONE)
    bench.reboot()
    bench.kernel.has.add(on_eth0("10.0.0.70"))
    bench.vips.release(frozenset())
    assert bench.added == {"10.0.0.70"}


def test_one_refused_takes_all_of_them_back(bench: VipBench) -> None:
    bench.vips.hold(ONE)
    bench.kernel.refused = addresses("10.0.0.73")
    with pytest.raises(DriverError, match=r"cannot put 10\.0\.0\.73"):
        bench.vips.hold(addresses("10.0.0.72", "10.0.0.73"))
    assert bench.added == {"10.0.0.70"}
    bench.restart()
    bench.vips.release(frozenset())
    assert bench.added == set()


def test_what_cannot_be_noted_is_not_put_on(bench: VipBench, tmp_path: Path) -> None:
    bench.path = tmp_path / "none" / "addresses.json"
    bench.restart()
    with pytest.raises(DriverError, match="cannot note the addresses"):
        bench.vips.hold(ONE)
    assert bench.added == set()


def test_what_does_not_come_off_is_tried_again(bench: VipBench) -> None:
    bench.vips.hold(ONE)
    bench.kernel.stuck = ONE
    bench.vips.release(frozenset())
    assert bench.added == {"10.0.0.70"}
    bench.kernel.stuck = frozenset()
    bench.restart()
    bench.vips.release(frozenset())
    assert bench.added == set()


def test_notes_that_cannot_be_read_leave_everything(bench: VipBench) -> None:
    bench.vips.hold(ONE)
    bench.path.write_text("{")
    bench.restart()
    bench.vips.release(frozenset())
    assert bench.added == {"10.0.0.70"}


def test_what_is_new_is_announced_a_few_times(bench: VipBench) -> None:
    bench.vips.hold(ONE)
    for _ in range(9):
        bench.vips.announce()
    bench.vips.hold(ONE)
    assert bench.network.told == ["10.0.0.70"] * 4


def test_a_new_process_announces_what_it_finds(bench: VipBench) -> None:
    bench.vips.hold(ONE | TWO)
    bench.network.told.clear()
    bench.restart()
    bench.vips.hold(ONE)
    assert bench.network.told == ["10.0.0.70"]


def test_who_cannot_announce_holds_all_the_same(bench: VipBench) -> None:
    bench.network.down = True
    bench.vips.hold(ONE)
    assert bench.added == {"10.0.0.70"}


def test_a_preview_tells_and_changes_nothing(bench: VipBench) -> None:
    bench.vips.hold(ONE)
    assert bench.vips.preview(TWO) == (
        "the address 10.0.0.71 is put on eth0",
        "the address 10.0.0.70 is taken off eth0",
    )
    assert bench.added == {"10.0.0.70"}
