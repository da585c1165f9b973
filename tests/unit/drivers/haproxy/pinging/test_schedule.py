"""When who is pinged, and what HAProxy has to be told: an hour goes by in a moment."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from libra.drivers.haproxy.pinging.health import Health, PingOutcome, Seen
from libra.drivers.haproxy.pinging.schedule import Schedule
from libra.drivers.haproxy.pinging.targets import ServerKey, Target

UP, DOWN = Seen("10.0.0.9", 2, out=False), Seen("10.0.0.9", 0, out=False)
RESTING, NAMELESS = Seen("10.0.0.9", 0, out=True), Seen(None, 2, out=False)
BACKEND = "be"


def target(name: str, *, address: str | None = "10.0.0.1", rise: int = 2, fall: int = 3) -> Target:
    return Target((BACKEND, name), address, 5.0, 2.0, rise, fall)


def watching(*targets: Target, seen: Seen = UP, now: float = 0.0) -> Schedule:
    schedule = Schedule()
    schedule.watch({item.key: item for item in targets})
    schedule.see({item.key: seen for item in targets}, now)
    return schedule


def ping(schedule: Schedule, now: float, *, answered: bool) -> dict[ServerKey, bool]:
    """One ping of all that are due, and what turned by it."""
    for number, _ in list(schedule.take_due(now, 99)):
        if answered:
            schedule.settle(number, PingOutcome.ANSWERED, now)
    schedule.expire(now + 2.0)
    return schedule.take_turned()


def test_as_many_in_a_row_as_it_says_turn_a_member() -> None:
    key = (BACKEND, "a")
    schedule = watching(target("a"))
    given_answers = [False, False, True, False, False, False, True, False, True, True]
    turned = [ping(schedule, 5.0 * n, answered=good) for n, good in enumerate(given_answers)]
    assert turned == [{}, {}, {}, {}, {}, {key: False}, {}, {}, {}, {key: True}]


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 4), st.integers(1, 4))
def test_health_turns_only_by_a_run(answers: list[bool], rise: int, fall: int) -> None:
    health, one, run = Health(True), target("a", rise=rise, fall=fall), 0
    for good in answers:
        outcome = PingOutcome.ANSWERED if good else PingOutcome.SILENT
        before, health = health, health.after(one, outcome)
        run = run + 1 if good is not before.is_up else 0
        assert (health.is_up is not before.is_up) is (run >= (rise if good else fall))
        run = 0 if health.is_up is not before.is_up else run


EVENTS = st.lists(st.sampled_from(["wait", "rest", "change", "go", "void", "unheard"]), max_size=60)


@given(EVENTS)
def test_everybody_is_pinged_once_an_interval_whatever_happens_to_others(events: list[str]) -> None:
    """`still` is left alone; `other` rests, changes, goes and comes back all the time."""
    still, schedule = target("still", address="10.0.0.1"), Schedule()
    sent: dict[str, list[float]] = {"10.0.0.1": [], "10.0.0.2": []}
    now = 0.0
    for event in [*events, *["wait"] * 12]:
        other = target("other", address="10.0.0.2", rise=9 if event == "change" else 2)
        there = [still] if event == "go" else [still, other]
        schedule.watch({item.key: item for item in there})
        seen = {still.key: UP, other.key: RESTING if event == "rest" else UP}
        schedule.see({} if event == "unheard" and now else seen, now)
        if event == "void":
            schedule.void_all(now)
        for _, address in schedule.take_due(now, 99):
            sent[address].append(now)
        now += 0.5
        schedule.expire(now)
    times = sent["10.0.0.1"]
    assert times[0] <= 5.0
    assert all(5.0 <= after - before <= 5.5 for before, after in pairwise(times))
    assert now - times[-1] <= 5.5
    assert now - sent["10.0.0.2"][-1] <= 5.5
    assert all(after > before for before, after in pairwise(sent["10.0.0.2"]))


def test_a_member_at_rest_is_not_pinged_and_comes_back_as_haproxy_has_it() -> None:
    schedule = watching(target("a", fall=1))
    ping(schedule, 0.0, answered=False)
    assert schedule.see({(BACKEND, "a"): RESTING}, 1.0) == {}
    assert list(schedule.take_due(99.0, 9)) == []
    assert schedule.see({(BACKEND, "a"): UP}, 100.0) == {}
    assert len(list(schedule.take_due(100.0, 9))) == 1


def test_haproxy_is_told_what_it_has_forgotten() -> None:
    key = (BACKEND, "a")
    schedule = watching(target("a", fall=1))
    assert ping(schedule, 0.0, answered=False) == {key: False}
    assert schedule.see({key: DOWN}, 1.0) == {}
    assert schedule.see({key: UP}, 2.0) == {key: False}
    assert schedule.see({}, 3.0) == {}


def test_a_server_that_only_finishes_is_not_up() -> None:
    key = (BACKEND, "a")
    assert watching(target("a")).see({key: Seen("10.0.0.9", 3, out=False)}, 1.0) == {key: True}


def test_one_that_is_down_when_a_worker_starts_stays_so() -> None:
    """Until as many answers have come as it says."""
    schedule = watching(target("a"), seen=DOWN)
    assert ping(schedule, 0.0, answered=True) == {}
    assert ping(schedule, 5.0, answered=True) == {(BACKEND, "a"): True}


def test_a_name_is_pinged_where_haproxy_found_it() -> None:
    schedule = watching(target("a", address=None), seen=NAMELESS)
    assert list(schedule.take_due(9.0, 9)) == []
    schedule.see({(BACKEND, "a"): UP}, 10.0)
    assert [item.address for item in schedule.take_due(10.0, 9)] == ["10.0.0.9"]


def test_pings_are_spread_over_their_interval() -> None:
    """No more at once than are asked for."""
    schedule = watching(*(target(f"m{n}") for n in range(100)))
    counts = [len(list(schedule.take_due(now / 10, 1000))) for now in range(51)]
    assert max(counts) <= 3
    assert sum(counts) == 100
    assert len(list(schedule.take_due(99.0, 30))) == 0
    schedule.expire(99.0)
    assert len(list(schedule.take_due(200.0, 30))) == 30


def test_what_nobody_listened_to_says_nothing() -> None:
    schedule = watching(target("a", fall=1))
    (sent,) = schedule.take_due(0.0, 9)
    schedule.void_all(60.0)
    schedule.expire(60.0)
    assert schedule.take_turned() == {}
    assert schedule.awaits(sent.number) is None
    assert len(list(schedule.take_due(60.0, 9))) == 1
