"""What is moved to where, and when rather nothing is."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from libra.model.device import DeviceState
from libra.model.devicepool import DevicePool
from libra.model.failover import Failover, PoolPlan, Watched, plan_pool
from tests.support.storages import NOW, at, build_device

POOL = DevicePool(id="default", name="default", created_at=NOW)
PROBE = timedelta(seconds=10)


def watched(name: str, state: str = "SPARE", has: int = 0, since: float | None = None) -> Watched:
    device = build_device(name, state=DeviceState(state), protocol="2.0")
    if since is not None:
        device = replace(device, misses=3, failing_since=at(since))
    projects = frozenset({"p"}) if has else frozenset[str]()
    return Watched(
        device=replace(device, id=name), loadbalancers=has, projects=projects, room=64 - has
    )


def plan(*devices: Watched, pool: DevicePool = POOL, busy: int = 0, vips: bool = True) -> PoolPlan:
    return plan_pool(pool, devices, busy, PROBE, addresses_move=vips)


def healthy(count: int) -> list[Watched]:
    return [watched(f"ok{number}", "ASSIGNED", 1) for number in range(count)]


def test_a_dead_one_goes_to_a_spare_one() -> None:
    found = plan(watched("dead", "ERROR", 3, since=0), watched("spare"), *healthy(2))
    assert found.failovers == (Failover("dead", "spare"),)
    assert found.brake == ""


def test_one_that_has_nothing_needs_nothing() -> None:
    assert plan(watched("dead", "ERROR", since=0), watched("spare")) == PoolPlan()


def test_one_that_misses_a_probe_is_not_dead_yet_and_no_refuge_either() -> None:
    doubtful = watched("late", "SPARE", since=0)
    assert plan(watched("late", "ASSIGNED", 1, since=0), watched("spare")).failovers == ()
    assert plan(watched("dead", "ERROR", 1, since=-3600), doubtful).waiting == ("dead",)


def test_without_a_spare_it_waits() -> None:
    others = [replace(item, projects=frozenset({"q"})) for item in healthy(5)]
    assert plan(watched("dead", "ERROR", 1, since=0), *others).waiting == ("dead",)


def test_projects_that_share_take_one_another_in_where_addresses_move() -> None:
    shared = replace(POOL, shared=True)
    dead, other = watched("dead", "ERROR", 1, since=0), watched("other", "ASSIGNED", 2)
    other = replace(other, projects=frozenset({"q"}))
    assert plan(dead, other, pool=shared).failovers == (Failover("dead", "other"),)
    assert plan(dead, other, pool=shared, vips=False).waiting == ("dead",)
    assert plan(dead, other).waiting == ("dead",)


def test_another_device_of_the_project_is_a_spare_for_it() -> None:
    dead, own = watched("dead", "ERROR", 1, since=0), watched("own", "ASSIGNED", 2)
    assert plan(dead, own).failovers == (Failover("dead", "own"),)
    assert plan(dead, own, watched("spare")).failovers == (Failover("dead", "spare"),)


def test_one_without_room_takes_nothing() -> None:
    full = replace(watched("spare"), room=2)
    assert plan(watched("dead", "ERROR", 3, since=0), full).waiting == ("dead",)


def test_the_longest_dead_comes_first_and_only_so_many_at_once() -> None:
    dead = [watched(f"dead{n}", "ERROR", 1, since=-1000.0 * n) for n in range(3)]
    spares = [watched(f"spare{n}") for n in range(3)]
    found = plan(*dead, *spares, *healthy(10), pool=replace(POOL, max_parallel_failovers=2), busy=1)
    assert found.failovers == (Failover("dead2", "spare0"),)
    assert found.waiting == ()


def test_many_at_once_is_the_network() -> None:
    dead = [watched(f"dead{n}", "ERROR", 1, since=n) for n in range(2)]
    found = plan(*dead, *healthy(2), watched("spare"))
    assert found.failovers == ()
    assert set(found.held) == {"dead0", "dead1"}
    assert "2 of 5" in found.brake


def test_the_second_that_only_begins_to_fail_counts() -> None:
    """Probes are spread: the first is lost before the others have missed as many."""
    dead = watched("dead", "ERROR", 1, since=0)
    failing = watched("failing", "ASSIGNED", 1, since=8)
    assert plan(dead, failing, *healthy(2), watched("spare")).brake


def test_one_alone_is_moved_however_small_the_pool() -> None:
    found = plan(watched("dead", "ERROR", 1, since=0), watched("spare"))
    assert found.failovers == (Failover("dead", "spare"),)


def test_those_that_died_long_ago_do_not_hold_the_next_one_back() -> None:
    old = [watched(f"old{n}", "ERROR", 0, since=-86_400) for n in range(4)]
    found = plan(*old, watched("dead", "ERROR", 1, since=0), watched("spare"), *healthy(2))
    assert found.failovers == (Failover("dead", "spare"),)


def test_as_long_as_the_network_is_away_nothing_moves_however_long_that_is() -> None:
    dead = [watched(f"dead{n}", "ERROR", 1, since=-86_400 + n) for n in range(2)]
    assert plan(*dead, *healthy(2), watched("spare")).brake


BRAKED = replace(POOL, brake_since=at(0), brake_reason="2 of 5 devices do not answer")


def ease(seconds: float, *devices: Watched) -> PoolPlan:
    easing = timedelta(seconds=seconds)
    return plan_pool(BRAKED, devices, 0, PROBE, addresses_move=True, easing=easing)


def test_those_that_are_not_heard_of_yet_when_the_network_is_back_get_some_probes() -> None:
    """Not all are asked at the same moment."""
    last = [watched("last", "ERROR", 1, since=0), *healthy(4), watched("spare")]
    found = ease(0, *last)
    assert (found.failovers, found.held, found.eases) == ((), ("last",), True)
    assert found.brake == BRAKED.brake_reason
    assert ease(29, *last).failovers == ()
    gone = ease(31, *last)
    assert gone.failovers == (Failover("last", "spare"),)
    assert (gone.brake, gone.eases) == ("", False)


def test_the_brake_is_let_go_at_once_where_all_answer() -> None:
    assert ease(0, *healthy(5)) == PoolPlan()


def test_a_brake_that_is_still_needed_does_not_ease() -> None:
    dead = [watched(f"dead{number}", "ERROR", 1, since=number) for number in range(2)]
    found = ease(99, *dead, *healthy(3))
    assert found.brake
    assert not found.eases


def test_draining_ones_are_moved_with_the_brake_on() -> None:
    dead = [watched(f"dead{n}", "ERROR", 1, since=n) for n in range(2)]
    found = plan(*dead, watched("leaving", "DRAINING", 1), watched("spare"), *healthy(2))
    assert found.failovers == (Failover("leaving", "spare"),)
    assert found.brake


STATES = st.sampled_from(["SPARE", "ASSIGNED", "ERROR", "DRAINING"])
DEVICES = st.lists(
    st.tuples(STATES, st.integers(0, 3), st.none() | st.floats(-200, 200)), max_size=12
)


@given(devices=DEVICES, busy=st.integers(0, 5), percent=st.integers(0, 100))
def test_whatever_there_is(
    devices: list[tuple[str, int, float | None]], busy: int, percent: int
) -> None:
    fleet = [
        watched(f"d{n}", state, has, since if state != "ERROR" else since or 0.0)
        for n, (state, has, since) in enumerate(devices)
    ]
    by_id = {item.device.id: item for item in fleet}
    pool = replace(POOL, brake_percent=percent)
    found = plan(*fleet, pool=pool, busy=busy)
    sources = [item.source for item in found.failovers]
    targets = [item.target for item in found.failovers]
    assert len(set(sources)) == len(sources)
    assert len(set(targets)) == len(targets)
    assert not set(sources) & set(targets)
    assert not set(sources) & set(found.held)
    assert len(sources) <= max(0, pool.max_parallel_failovers - busy)
    for key in sources:
        assert by_id[key].loadbalancers
        assert by_id[key].device.state in (DeviceState.ERROR, DeviceState.DRAINING)
    for key in targets:
        assert by_id[key].device.is_ready
        assert not by_id[key].device.misses
    assert bool(found.brake) == bool(found.held)
