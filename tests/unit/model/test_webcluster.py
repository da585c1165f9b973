"""The states of web clusters: every pair of state and event."""

from itertools import product

import pytest

from libra.errors import CannotStart, CannotStop, Conflict, NotStopped
from libra.model.webcluster import (
    LIVE,
    MOVERS,
    TRANSITIONS,
    WATCHED,
    WebClusterEvent,
    WebClusterMover,
    WebClusterState,
    advance,
    node_key,
    revision_key,
)

E, S = WebClusterEvent, WebClusterState
WAYS = {
    E.START: {S.STOPPED: S.STARTING, S.PAUSED: S.STARTING, S.ERROR: S.STARTING},
    E.STOP: dict.fromkeys((S.STARTING, S.RUNNING, S.DEGRADED, S.PAUSED, S.ERROR), S.STOPPING),
    E.PAUSE: {S.RUNNING: S.PAUSED, S.DEGRADED: S.PAUSED},
    E.RESUME: {S.PAUSED: S.STARTING},
    E.RESTART: dict.fromkeys((S.STARTING, S.RUNNING, S.DEGRADED, S.PAUSED, S.ERROR), S.STARTING),
    E.DELETE: {S.STOPPED: S.STOPPED},
    E.SERVED: dict.fromkeys((S.STARTING, S.RUNNING, S.DEGRADED, S.ERROR), S.RUNNING),
    E.FAILED_PARTLY: dict.fromkeys((S.STARTING, S.RUNNING, S.DEGRADED, S.ERROR), S.DEGRADED),
    E.FAILED: dict.fromkeys((S.STARTING, S.RUNNING, S.DEGRADED, S.ERROR), S.ERROR),
    E.LEFT: {S.STOPPING: S.STOPPED},
}
REFUSALS = {
    **dict.fromkeys((E.START, E.RESUME, E.RESTART), CannotStart),
    **dict.fromkeys((E.STOP, E.PAUSE), CannotStop),
    E.DELETE: NotStopped,
}


@pytest.mark.parametrize(("state", "event"), list(product(S, E)))
def test_every_pair(state: WebClusterState, event: WebClusterEvent) -> None:
    into = WAYS[event].get(state)
    if into is not None:
        assert advance("blue", state, event) is into
        return
    with pytest.raises(REFUSALS.get(event, Conflict), match=f"'blue' while it is {state.value}"):
        advance("blue", state, event)


def test_nobody_moves_what_another_does() -> None:
    assert set(MOVERS) == set(E)
    told = {
        into for (_, event), into in TRANSITIONS.items() if MOVERS[event] is WebClusterMover.CALLER
    }
    assert told == {S.STARTING, S.STOPPING, S.PAUSED, S.STOPPED}
    seen = {
        into for (_, event), into in TRANSITIONS.items() if MOVERS[event] is WebClusterMover.MONITOR
    }
    assert seen == {S.RUNNING, S.DEGRADED, S.ERROR, S.STOPPED}


def test_a_stop_is_never_overwritten_by_what_the_monitor_saw_before() -> None:
    for event in (E.SERVED, E.FAILED_PARTLY, E.FAILED):
        assert (S.STOPPING, event) not in TRANSITIONS
        assert (S.PAUSED, event) not in TRANSITIONS


def test_every_state_can_be_left_and_reached() -> None:
    assert {source for source, _ in TRANSITIONS} == set(TRANSITIONS.values()) == set(S)
    assert set(S) - LIVE == {S.STOPPED, S.STOPPING}
    assert set(S) - WATCHED == {S.STOPPED, S.PAUSED}


def test_keys_are_stable_and_differ() -> None:
    assert node_key("a", "b") == node_key("a", "b")
    assert len({node_key("a", "b"), node_key("b", "a"), node_key("a", "c")}) == 3
    assert revision_key("a", 7) == "a.7"
