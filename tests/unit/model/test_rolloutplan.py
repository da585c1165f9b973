"""The next step of a rollout, in worlds where anything may happen at any moment."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.model.rollout import (
    ENDED,
    WORKING,
    DrainPolicy,
    FailurePolicy,
    Phase,
    RolloutState,
    RolloutStep,
    Wish,
    count_minimum,
    enter,
)
from libra.model.rolloutplan import End, Enter, NodeSight, Policy, Sight, plan_moves

NOW = datetime(2026, 11, 29, tzinfo=UTC)
OFFLINE = (Phase.DRAINING, Phase.WITHDRAWING)
ONLINE = (Phase.RETURNING, Phase.RESTORING)
MOST_TURNS = 2000


def build_steps(*names: str) -> tuple[RolloutStep, ...]:
    return tuple(
        RolloutStep(id=f"r/{n}", rollout_id="r", position=n, node=name, since=NOW)
        for n, name in enumerate(names)
    )


def with_phase(steps: tuple[RolloutStep, ...], **phases: Phase) -> tuple[RolloutStep, ...]:
    return tuple(
        replace(s, phase=phases[s.node], taken=True) if s.node in phases else s for s in steps
    )


ALL = {name: NodeSight(online=True, up=True) for name in ("a", "b", "c", "d")}
STEPS = build_steps(*ALL)


def test_one_after_the_other() -> None:
    assert plan_moves(Policy(), STEPS, Sight(nodes=ALL)) == (Enter("a", Phase.DRAINING),)
    working = with_phase(STEPS, a=Phase.DRAINING)
    assert plan_moves(Policy(), working, Sight(nodes=ALL)) == ()


def test_a_batch_is_as_large_as_the_minimum_allows() -> None:
    moves = plan_moves(Policy(batch=3, min_online="50%"), STEPS, Sight(nodes=ALL))
    assert moves == (Enter("a", Phase.DRAINING), Enter("b", Phase.DRAINING))


def test_the_groups_own_minimum_counts_too() -> None:
    sight = Sight(nodes=ALL, least=3)
    assert len(plan_moves(Policy(batch=3, min_online="0"), STEPS, sight)) == 1


def test_one_that_is_down_costs_nothing() -> None:
    nodes = {**ALL, "a": NodeSight(online=True, up=False), "b": NodeSight(online=True, up=False)}
    moves = plan_moves(Policy(batch=4, min_online="2"), STEPS, Sight(nodes=nodes))
    assert moves == (Enter("a", Phase.DRAINING), Enter("b", Phase.DRAINING))


def test_what_others_took_out_is_skipped_at_the_end() -> None:
    nodes = {**ALL, "a": NodeSight(online=False, note="disk")}
    assert plan_moves(Policy(), STEPS, Sight(nodes=nodes)) == (Enter("b", Phase.DRAINING),)
    rest = with_phase(STEPS, b=Phase.DONE, c=Phase.DONE, d=Phase.DONE)
    moves = plan_moves(Policy(), rest, Sight(nodes=nodes))
    assert moves == (Enter("a", Phase.SKIPPED, "it is offline: disk"),)


def test_the_end_says_what_was_left_out() -> None:
    done = with_phase(STEPS, a=Phase.DONE, b=Phase.DONE, c=Phase.DONE, d=Phase.DONE)
    assert plan_moves(Policy(), done, Sight(nodes=ALL)) == (End(RolloutState.COMPLETE),)
    skipped = tuple(replace(step, phase=Phase.SKIPPED, reason="it is offline") for step in done)
    (end,) = plan_moves(Policy(), skipped, Sight(nodes=ALL))
    words = "4 not changed: a: it is offline, b: it is offline, c: it is offline, and 1 more"
    assert end == End(RolloutState.COMPLETE, words)


def test_it_is_drained_once_everybody_says_so() -> None:
    steps = with_phase(STEPS, a=Phase.DRAINING)

    def moves(**seen: object) -> tuple[object, ...]:
        node = replace(NodeSight(online=False), **seen)  # type: ignore[arg-type]
        done = {"a": ""}
        return plan_moves(Policy(), steps, Sight(nodes={**ALL, "a": node}, outcomes=done))

    assert moves() == (Enter("a", Phase.COMMAND),)
    assert moves(sessions=1) == ()
    assert moves(sessions=None) == ()
    assert moves(settled=False) == ()
    (move,) = moves(online=True)
    assert move == Enter("a", Phase.FAILED, "somebody has marked it online meanwhile")


@pytest.mark.parametrize("policy", list(DrainPolicy))
def test_sessions_that_do_not_end(policy: DrainPolicy) -> None:
    nodes = {**ALL, "a": NodeSight(online=False, sessions=3)}
    sight = Sight(nodes=nodes, outcomes={"a": ""}, waited={"a": 60.0})
    steps = with_phase(STEPS, a=Phase.DRAINING)
    (move,) = plan_moves(Policy(on_drain_timeout=policy), steps, sight)
    if policy is DrainPolicy.CONTINUE:
        assert move == Enter("a", Phase.COMMAND)
    else:
        assert move == Enter("a", Phase.FAILED, "it still has 3 sessions after 60 s")


def test_a_failure_ends_it_after_those_in_work() -> None:
    steps = with_phase(STEPS, a=Phase.FAILED, b=Phase.COMMAND)
    assert plan_moves(Policy(batch=2), steps, Sight(nodes=ALL)) == ()
    ended = with_phase(STEPS, a=Phase.FAILED, b=Phase.DONE)
    (end,) = plan_moves(Policy(batch=2), ended, Sight(nodes=ALL))
    assert isinstance(end, End)
    assert end.state is RolloutState.STOPPED
    assert end.reason.startswith("a: ")


def test_one_that_does_not_come_back_is_withdrawn() -> None:
    nodes = {**ALL, "a": NodeSight(online=True, up=False, settled=False)}
    sight = Sight(nodes=nodes, outcomes={"a": ""}, waited={"a": 60.0})
    (move,) = plan_moves(Policy(), with_phase(STEPS, a=Phase.RETURNING), sight)
    assert isinstance(move, Enter)
    assert move.phase is Phase.WITHDRAWING


def test_too_few_serve_for_too_long() -> None:
    nodes = {name: NodeSight(online=name in "ab") for name in ALL}
    assert plan_moves(Policy(), STEPS, Sight(nodes=nodes)) == ()
    (end,) = plan_moves(Policy(), STEPS, Sight(nodes=nodes, idle=300.0))
    assert end == End(RolloutState.STOPPED, "cannot take another node: 2 of 4 serve, and 2 must")


@pytest.mark.parametrize(
    ("wish", "state"), [(Wish.STOP, RolloutState.STOPPED), (Wish.ABORT, RolloutState.ABORTED)]
)
def test_on_request_those_in_work_are_finished(wish: Wish, state: RolloutState) -> None:
    working = with_phase(STEPS, a=Phase.COMMAND)
    assert plan_moves(Policy(), working, Sight(nodes=ALL), wish) == ()
    (end,) = plan_moves(Policy(), with_phase(STEPS, a=Phase.DONE), Sight(nodes=ALL), wish)
    assert end == End(state, "on request")


# Whole rollouts.


@dataclass
class World:
    """Nodes that a rollout acts on, while others act on them, too."""

    chance: Random
    policy: Policy
    steps: tuple[RolloutStep, ...]
    online: dict[str, bool]
    up: dict[str, bool]
    sessions: dict[str, int]
    outcomes: dict[str, str] = field(default_factory=dict)
    waited: Counter[str] = field(default_factory=Counter)
    idle: int = 0
    commands: Counter[str] = field(default_factory=Counter)
    crashes: int = 3
    calm: bool = False

    @property
    def serving(self) -> int:
        return sum(self.online[name] and self.up[name] for name in self.online)

    def sight(self) -> Sight:
        nodes = {
            name: NodeSight(
                online=online, up=self.up[name], settled=True, sessions=self.sessions[name]
            )
            for name, online in self.online.items()
        }
        return Sight(
            nodes=nodes, outcomes=dict(self.outcomes), waited=dict(self.waited), idle=self.idle
        )

    def do(self, move: Enter) -> None:
        """Stored first; the action itself comes later, or never where the client dies."""
        self.steps = tuple(
            enter(s, move.phase, move.reason, NOW) if s.node == move.node else s for s in self.steps
        )
        self.waited[move.node] = 0
        self.outcomes.pop(move.node, None)
        if move.phase is Phase.COMMAND:
            assert not self.online[move.node]
            self.commands[move.node] += 1
        if move.phase in OFFLINE:
            self.mark(move.node, online=False)

    def mark(self, node: str, *, online: bool) -> None:
        before = self.serving
        self.online[node] = online
        minimum = count_minimum(self.policy.min_online, len(self.online))
        assert self.serving >= min(before, minimum)

    def turn(self) -> None:
        """Something happens."""
        for step in self.steps:
            self.waited[step.node] += 10
            if step.phase in WORKING and step.node not in self.outcomes:
                self.act(step)
            elif step.phase is Phase.DRAINING and self.sessions[step.node]:
                self.sessions[step.node] -= self.chance.randint(0, 1)
        if not self.calm:
            self.disturb()

    def act(self, step: RolloutStep) -> None:
        if self.chance.random() < 0.5:
            return  # not yet
        if step.phase in ONLINE:
            self.mark(step.node, online=True)
        fails = step.phase not in ONLINE and self.chance.random() < 0.1
        self.outcomes[step.node] = "it failed" if fails else ""

    def disturb(self) -> None:
        """What others do, and what breaks: of nodes that are not in work."""
        idle = [s.node for s in self.steps if s.phase not in WORKING]
        if not idle or self.chance.random() < 0.8:
            return
        node = self.chance.choice(idle)
        if self.chance.random() < 0.5:
            self.up[node] = not self.up[node]
        else:
            self.online[node] = not self.online[node]

    def crash(self) -> None:
        """Another client goes on from what was stored; it acts anew in the phase that each node is in."""
        self.outcomes.clear()
        self.waited.clear()
        self.idle = 0
        self.crashes -= 1


@given(st.data())
def test_whatever_happens(data: st.DataObject) -> None:
    """Never below the minimum (see `World.mark`), it ends, and each node's command is begun once."""
    count = data.draw(st.integers(2, 6))
    names = [f"n{number}" for number in range(count)]
    share = data.draw(st.integers(0, 100 * (count - 1) // count))
    policy = Policy(
        batch=data.draw(st.integers(1, count)),
        min_online=f"{share}%",
        drain_timeout=data.draw(st.sampled_from([20, 100])),
        on_drain_timeout=data.draw(st.sampled_from(DrainPolicy)),
        on_failure=data.draw(st.sampled_from(FailurePolicy)),
        checks=data.draw(st.booleans()),
        warms=data.draw(st.booleans()),
        capacity_timeout=100,
    )
    world = World(
        chance=Random(data.draw(st.integers(0, 2**32))),  # to draw each turn would take a minute
        policy=policy,
        steps=build_steps(*names),
        online={name: data.draw(st.integers(0, 5)) > 0 for name in names},
        up={name: data.draw(st.integers(0, 5)) > 0 for name in names},
        sessions={name: data.draw(st.integers(0, 3)) for name in names},
    )
    end = run_to_end(world)
    assert max(world.commands.values(), default=0) <= 1
    assert not any(step.phase in WORKING for step in world.steps)
    if end.state is RolloutState.COMPLETE:
        assert all(step.phase in ENDED for step in world.steps)
        done = {step.node for step in world.steps if step.phase is Phase.DONE}
        assert done == set(world.commands)
    else:
        assert end.state is RolloutState.STOPPED
        assert end.reason


def run_to_end(world: World) -> End:
    for number in range(MOST_TURNS):
        world.calm = number > MOST_TURNS // 20
        moves = plan_moves(world.policy, world.steps, world.sight())
        for move in moves:
            if isinstance(move, End):
                return move
            world.do(move)
        working = sum(step.phase in WORKING for step in world.steps)
        assert working <= world.policy.batch
        world.idle = 0 if moves or working else world.idle + 10
        world.turn()
        if world.crashes and not world.calm and world.chance.random() < 0.1:
            world.crash()
    raise AssertionError("it does not end")
