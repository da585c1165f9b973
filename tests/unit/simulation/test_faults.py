from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.errors import Invalid
from libra.simulation.device import address_of
from libra.simulation.faults import Cut, Fault, FaultClock, FaultKind, Schedule, plan_faults
from libra.simulation.process import build_name

SCHEDULES = st.builds(
    Schedule,
    seed=st.integers(),
    an_hour=st.floats(1, 600),
    seconds=st.floats(1, 100),
    cut=st.none() | st.builds(Cut, share=st.floats(0, 1), at=st.floats(0, 200), seconds=st.just(9)),
)
DEVICES = st.integers(1, 30)


def first(schedule: Schedule, devices: int, until: float = 300.0) -> list[Fault]:
    return list(takewhile(lambda fault: fault.at <= until, plan_faults(schedule, devices)))


@given(SCHEDULES, DEVICES)
def test_in_order_repeatable_and_one_at_a_time(schedule: Schedule, devices: int) -> None:
    faults = first(schedule, devices)
    assert faults == first(schedule, devices)
    assert faults == sorted(faults)
    free = dict.fromkeys(range(devices), 0.0)
    for fault in faults:
        assert free[fault.number] <= fault.at
        free[fault.number] = fault.until


def test_as_many_as_are_asked_for() -> None:
    faults = first(Schedule(seed=1, an_hour=6, seconds=10), devices=100, until=3600)
    assert 500 < len(faults) < 700
    assert {fault.kind for fault in faults} == set(FaultKind)
    assert 9 < sum(fault.seconds for fault in faults) / len(faults) < 11
    assert faults != first(Schedule(seed=2, an_hour=6, seconds=10), devices=100, until=3600)


def test_none_where_none_are_asked_for() -> None:
    assert list(plan_faults(Schedule(), 5)) == []


def test_a_cut_takes_its_share_at_once() -> None:
    faults = list(plan_faults(Schedule(cut=Cut(share=0.4, at=20, seconds=60)), 50))
    assert len({fault.number for fault in faults}) == 20
    assert {(fault.at, fault.kind, fault.until) for fault in faults} == {(20, FaultKind.FROZEN, 80)}


@given(SCHEDULES, DEVICES, st.lists(st.floats(0.1, 50), min_size=1, max_size=20))
def test_a_clock_tells_each_once(schedule: Schedule, devices: int, steps: list[float]) -> None:
    clock = FaultClock(plan_faults(schedule, devices))
    now, begun, ended = 0.0, [], []
    for step in steps:
        now += step
        new, over = clock.turn(now)
        begun += new
        ended += over
    assert begun == first(schedule, devices, now)
    assert sorted(ended) == [fault for fault in begun if fault.until <= now]


def test_names_are_as_long_as_the_last() -> None:
    assert [build_name("sim{}", number, 11) for number in (0, 10)] == ["sim00", "sim10"]
    for bad in ("sim", "{}{}", "a{b}{}"):
        with pytest.raises(Invalid, match="once, for the number"):
            build_name(bad, 0, 1)


def test_addresses_where_nothing_real_is() -> None:
    assert [address_of(number) for number in (0, 256, 131_071)] == [
        "198.18.0.0",
        "198.18.1.0",
        "198.19.255.255",
    ]
