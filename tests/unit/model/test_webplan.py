"""What a web cluster's nodes are told, step by step, whatever happens to them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from libra.model.webplan import (
    NOTHING,
    Finish,
    Pace,
    Phase,
    RollBack,
    Tell,
    WebNode,
    WebView,
    plan_web,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
PACE = Pace(grace=timedelta(seconds=5), patience=timedelta(seconds=3))


@dataclass
class World:
    """Nodes that do what they are told when they can, and a clock; a turn is a second."""

    view: WebView
    now: datetime = START
    dead: set[str] = field(default_factory=set)
    mute: set[str] = field(default_factory=set)  # their listener answers nothing
    bad: set[int] = field(default_factory=set)  # revisions that every node refuses
    told: list[Tell] = field(default_factory=list)

    def turn(self) -> None:
        self.now += timedelta(seconds=1)
        self._work()
        plan = plan_web(self.view, self.now, PACE)
        self.view = replace(self.view, phase=plan.phase)
        for action in plan.actions:
            if isinstance(action, RollBack):
                self.view = replace(self.view, revision=action.revision)
            elif isinstance(action, Finish):
                self.view = replace(self.view, good=action.revision)
            else:
                self._tell(action)

    def _tell(self, tell: Tell) -> None:
        self.told.append(tell)
        before = next(item for item in self.view.nodes if item.oid == tell.oid)
        self._change(
            tell.oid,
            revision=tell.revision,
            active=tell.active,
            promoted_for=tell.promoted_for,
            told_at=self.now,
            settled=False,
            refused="",
            answers=None,
            good_since=None,
            trusted=before.serves or not before.active,
            failures=before.failures + tell.failed,
        )

    def _work(self) -> None:
        for item in self.view.nodes:
            if item.oid in self.dead:
                self._change(item.oid, reachable=False, good_since=None)
            elif item.revision in self.bad:
                self._change(item.oid, reachable=True, refused="no", settled=False)
            else:
                answers = item.oid not in self.mute if item.active else None
                since = item.good_since or self.now
                self._change(
                    item.oid, reachable=True, settled=True, answers=answers, good_since=since
                )

    def _change(self, oid: str, **fields: Any) -> None:
        nodes = tuple(
            replace(item, **fields) if item.oid == oid else item for item in self.view.nodes
        )
        self.view = replace(self.view, nodes=nodes)

    def run(self, turns: int) -> "World":
        for _ in range(turns):
            self.turn()
            self.check()
        return self

    def check(self) -> None:
        """Only who hands over is active beside the one that takes over."""
        active = {item.oid: item for item in self.view.nodes if item.active}
        pairs = {item.promoted_for for item in active.values()} & set(active)
        assert len(active) <= self.view.wanted + len(pairs), self.view

    @property
    def active(self) -> set[str]:
        return {item.oid for item in self.view.nodes if item.active}


def world(active: int = 2, standby: int = 1, revision: int = 1) -> World:
    nodes = [
        WebNode(oid=f"n{number}", name=f"n{number}", standby=number >= active, told_at=START)
        for number in range(active + standby)
    ]
    return World(WebView(phase=Phase.STARTING, revision=revision, nodes=tuple(nodes)))


def running(active: int = 2, standby: int = 1) -> World:
    found = world(active, standby).run(5)
    assert found.view.phase is Phase.RUNNING
    found.told.clear()
    return found


def publish(found: World, revision: int) -> None:
    found.view = replace(found.view, revision=revision)


def leave(found: World, oid: str) -> None:
    found._change(oid, leaving=True)


def test_an_empty_cluster_runs_at_once() -> None:
    assert world(0, 0).run(1).view.phase is Phase.RUNNING


def test_a_start_is_told_to_everybody_at_once_and_runs_when_all_answer() -> None:
    found = world()
    found.turn()
    assert {tell.oid for tell in found.told} == {"n0", "n1", "n2"}
    assert found.active == {"n0", "n1"}
    assert found.view.phase is Phase.STARTING
    found.run(3)
    assert (found.view.phase, found.view.good) == (Phase.RUNNING, 1)
    found.told.clear()
    assert found.run(50).told == []


def test_a_node_that_is_away_keeps_it_starting() -> None:
    found = world(2, 0)
    found.dead = {"n1"}
    assert found.run(20).view.phase is Phase.STARTING
    found.dead = set()
    assert found.run(5).view.phase is Phase.RUNNING


def test_a_start_that_everybody_refuses_is_an_error() -> None:
    found = world()
    found.bad = {1}
    assert found.run(5).view.phase is Phase.ERROR


def test_a_standby_takes_over_in_the_turn_in_which_a_node_is_missed() -> None:
    found = running()
    found.dead = {"n0"}
    found.turn()
    assert found.told == [Tell("n0", 1, False, failed=True), Tell("n2", 1, True, "n0")]
    found.run(3)
    assert found.active == {"n1", "n2"}
    assert found.view.phase is Phase.RUNNING


def test_the_place_is_given_back_after_a_grace_time_only() -> None:
    found = running()
    found.dead = {"n0"}
    found.run(3)
    found.dead = set()
    found.run(4)
    assert found.active == {"n1", "n2"}
    found.run(6)
    assert found.active == {"n0", "n1"}
    assert [(tell.oid, tell.active) for tell in found.told[2:]] == [("n0", True), ("n2", False)]
    found.told.clear()
    assert found.run(30).told == []


def test_a_node_that_comes_and_goes_gets_no_place_back() -> None:
    found = running()
    for turn in range(40):
        found.dead = {"n0"} if turn % 4 == 0 else set()
        found.run(1)
    assert found.active == {"n1", "n2"}
    assert len(found.told) == 2


def test_without_a_standby_a_lost_node_keeps_its_place() -> None:
    found = running(2, 0)
    found.dead = {"n0"}
    assert found.run(10).told == []
    assert found.view.phase is Phase.DEGRADED
    found.dead = set()
    assert found.run(3).view.phase is Phase.RUNNING


def test_a_listener_that_answers_nothing_is_replaced_after_some_patience() -> None:
    found = running()
    found.mute = {"n0"}
    found.run(10)
    assert found.active == {"n1", "n2"}


def test_who_leaves_goes_on_until_the_other_one_serves() -> None:
    found = running(1, 1)
    leave(found, "n0")
    found.turn()
    assert found.told == [Tell("n1", 1, True, "n0")]
    found.run(3)
    assert found.told[1:] == [Tell("n0", 1, False)]
    assert found.active == {"n1"}
    assert found.run(20).active == {"n1"}


def test_a_change_goes_from_node_to_node() -> None:
    found = running(3, 1)
    publish(found, 2)
    seen = []
    for _ in range(20):
        found.run(1)
        new = [item.oid for item in found.view.nodes if item.revision == 2 and item.settled]
        seen.append(len(new))
    assert [tell.oid for tell in found.told] == ["n3", "n0", "n1", "n2"]
    assert max(b - a for a, b in pairwise(seen)) == 1
    assert (found.view.good, found.view.phase) == (2, Phase.RUNNING)


def test_a_change_that_a_node_refuses_is_taken_back_everywhere() -> None:
    found = running(3, 0)
    publish(found, 2)
    found.run(1)
    found.bad = {2}
    found.run(20)
    assert {item.revision for item in found.view.nodes} == {1}
    assert (found.view.revision, found.view.phase) == (1, Phase.RUNNING)


def test_a_change_after_which_nothing_answers_is_taken_back() -> None:
    found = running(3, 0)
    publish(found, 2)
    found.turn()
    found.mute = {"n0"}
    found.run(5)
    assert [tell.oid for tell in found.told if tell.revision == 2] == ["n0"]
    found.mute = set()
    found.run(20)
    assert found.view.phase is Phase.RUNNING
    assert {item.revision for item in found.view.nodes} == {1}


def test_a_change_is_not_taken_back_for_a_node_that_answered_nothing_before() -> None:
    found = running(3, 0)
    found.mute = {"n0"}
    found.run(5)
    publish(found, 2)
    found.run(20)
    assert {item.revision for item in found.view.nodes} == {2}
    assert found.view.good == 2


def test_a_bad_node_holds_up_nobody() -> None:
    found = running(3, 0)
    found.dead = {"n1"}
    publish(found, 2)
    found.run(20)
    assert {item.revision for item in found.view.nodes} == {2}
    assert found.view.good == 2


def test_a_node_that_is_taken_out_takes_its_stand_in_with_it() -> None:
    found = running()
    found.dead = {"n0"}
    found.run(4)
    left = tuple(item for item in found.view.nodes if item.oid != "n0")
    found.view = replace(found.view, nodes=left)
    found.run(5)
    assert found.active == {"n1"}


def test_a_standby_that_becomes_a_node_opens() -> None:
    found = running(1, 1)
    found._change("n1", standby=False)
    assert found.run(4).active == {"n0", "n1"}


def test_it_stops_when_everybody_who_answers_has_let_go() -> None:
    found = running()
    found.dead = {"n1"}
    found.run(1)
    found.view = replace(found.view, phase=Phase.STOPPING)
    found.run(3)
    assert found.view.phase is Phase.STOPPED
    assert {item.revision for item in found.view.nodes} == {NOTHING}


steps = st.lists(
    st.tuples(
        st.sampled_from(["die", "return", "mute", "speak", "publish", "publish bad", "wait"]),
        st.integers(0, 5),
    ),
    max_size=25,
)


@given(st.integers(1, 4), st.integers(0, 2), steps)
def test_whatever_happens_it_ends_well(
    active: int, standby: int, happens: Sequence[tuple[str, int]]
) -> None:
    found = world(active, standby).run(4)
    names = [item.oid for item in found.view.nodes]
    revision = 1
    for what, number in happens:
        oid = names[number % len(names)]
        match what:
            case "die":
                found.dead.add(oid)
            case "return":
                found.dead.discard(oid)
            case "mute":
                found.mute.add(oid)
            case "speak":
                found.mute.discard(oid)
            case "publish" | "publish bad":
                revision += 1
                if what == "publish bad":
                    found.bad.add(revision)
                publish(found, revision)
        found.run(number)
    found.dead, found.mute = set(), set()
    found.run(100)
    assert found.view.phase is Phase.RUNNING, found.view
    assert found.active == {item.oid for item in found.view.nodes if not item.standby}
    assert {item.revision for item in found.view.nodes} == {found.view.revision}
    assert found.view.revision not in found.bad
    found.told.clear()
    assert found.run(30).told == []


def test_who_keeps_failing_is_tried_ever_more_rarely() -> None:
    found = running()
    found.mute = {"n0"}
    found.run(300)
    assert found.active == {"n1", "n2"}
    assert sum(tell.oid == "n0" and tell.active for tell in found.told) <= 5


def test_what_is_stopped_is_left_alone() -> None:
    found = world()
    found.view = replace(found.view, phase=Phase.STOPPED)
    assert found.run(5).told == []


def test_an_error_ends_when_the_definition_is_mended() -> None:
    found = world()
    found.bad = {1}
    assert found.run(5).view.phase is Phase.ERROR
    publish(found, 2)
    assert found.run(20).view.phase is Phase.RUNNING
