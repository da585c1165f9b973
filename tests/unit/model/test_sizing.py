"""How many devices a pool needs more."""

from dataclasses import replace
from datetime import timedelta

import pytest

from libra.model.device import Device, DeviceState
from libra.model.devicepool import DevicePool
from libra.model.sizing import BOOT_TIME, MOST_AT_ONCE, count_boots, find_late
from tests.support.storages import NOW, build_device

POOL = DevicePool(id="p", name="p", provider="local", created_at=NOW)


def devices(*states: str) -> list[Device]:
    return [build_device(f"d{n}", state=DeviceState(state)) for n, state in enumerate(states)]


@pytest.mark.parametrize(
    ("wanted", "states", "count"),
    [
        (0, (), 0),
        (2, (), 2),
        (2, ("SPARE",), 1),
        (2, ("BUILDING",), 1),
        (2, ("SPARE", "BUILDING"), 0),
        (1, ("ASSIGNED", "ERROR", "DRAINING", "RETIRED", "ANNOUNCED"), 1),
        (1, ("SPARE", "SPARE"), 0),
        (100, (), MOST_AT_ONCE),
        (100, ("BUILDING",) * MOST_AT_ONCE, 0),
    ],
)
def test_what_is_missing(wanted: int, states: tuple[str, ...], count: int) -> None:
    assert count_boots(replace(POOL, min_spare=wanted), devices(*states)) == count


@pytest.mark.parametrize(
    ("states", "count"),
    [
        ((), 3),
        (("ASSIGNED",), 2),
        (("ASSIGNED", "ERROR", "DRAINING"), 0),
        (("ASSIGNED",) * 5, 0),
        (("BUILDING",), 2),
        (("ANNOUNCED", "ANNOUNCED"), 3),
        (("RETIRED",), 2),
    ],
)
def test_there_are_never_more_than_there_may_be(states: tuple[str, ...], count: int) -> None:
    pool = replace(POOL, min_spare=10, max_devices=3)
    assert count_boots(pool, devices(*states)) == count


def test_where_hosts_are_not_destroyed_a_retired_one_counts_no_more() -> None:
    pool = replace(POOL, min_spare=10, max_devices=3)
    assert count_boots(pool, devices("RETIRED", "SPARE"), destroys=False) == 2


def test_a_disabled_pool_gets_no_more() -> None:
    assert count_boots(replace(POOL, min_spare=2, disabled=True), devices()) == 0


def test_only_what_never_answered_is_given_up() -> None:
    failed, building = devices("ERROR", "BUILDING")
    seen = replace(failed, last_seen=NOW)
    late = NOW + BOOT_TIME + timedelta(seconds=1)
    assert find_late([failed, seen, building], late) == [failed]
    assert find_late([failed], NOW + BOOT_TIME) == []
