"""What a rollout does next, by how far its nodes are and what is seen of them. Nothing is done here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

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
)

_MOST_TOLD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Times in seconds. `checks` and `warms` say whether there are URLs to do it with."""

    batch: int = 1
    min_online: str = "50%"
    drain_timeout: float = 60.0
    on_drain_timeout: DrainPolicy = DrainPolicy.STOP
    on_failure: FailurePolicy = FailurePolicy.LEAVE
    checks: bool = False
    warms: bool = False
    online_timeout: float = 60.0
    capacity_timeout: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSight:
    """What is seen of a node. `online` is the operators' mark, `note` what they wrote beside it.

    `up` is whether its members are up on every device, None where no device has one. `settled` says that every device
    has it as its mark says, and `sessions` how many it has on all of them, None while that is not known.
    """

    online: bool
    up: bool | None = None
    settled: bool = True
    sessions: int | None = 0
    note: str = ""

    @property
    def serves(self) -> bool:
        """As far as anybody knows."""
        return self.online and self.up is not False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The world as it is: `nodes` are all of the group, of which `least` must stay online. Times in seconds.

    `outcomes` has the nodes in work for which their phase's own action has ended, with "" or why it failed; `waited` is
    how long each is in its phase, `idle` how long nothing could be begun. `interrupted`: a person wants an end.
    """

    nodes: Mapping[str, NodeSight]
    least: int = 0
    outcomes: Mapping[str, str] = field(default_factory=dict)
    waited: Mapping[str, float] = field(default_factory=dict)
    idle: float = 0.0
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Enter:
    """Have the node enter that phase."""

    node: str
    phase: Phase
    reason: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """Nothing is left to do."""

    state: RolloutState
    reason: str = ""


Move = Enter | End


def plan_moves(
    policy: Policy, steps: tuple[RolloutStep, ...], sight: Sight, wish: Wish = Wish.NONE
) -> tuple[Move, ...]:
    """What to store, and then to do. Nothing where something has to be waited for."""
    onward = tuple(_plan_onward(policy, steps, sight))
    if onward:
        return onward  # what they leave to do is seen the next time
    stopping = sight.interrupted or wish is not Wish.NONE or any_failed(steps)
    if not stopping:
        begun = tuple(_plan_begin(policy, steps, sight))
        if begun:
            return begun
    if any(step.phase in WORKING for step in steps):
        return ()
    if stopping:
        return (_stop(steps, wish),)
    if all(step.phase in ENDED for step in steps):
        return (_complete(steps),)
    if sight.idle >= policy.capacity_timeout:
        return (End(RolloutState.STOPPED, _tell_shortage(policy, steps, sight)),)
    return ()


def any_failed(steps: tuple[RolloutStep, ...]) -> bool:
    """Whether one has, or is about to."""
    failing = (Phase.FAILED, Phase.RESTORING, Phase.WITHDRAWING)
    return any(step.phase in failing for step in steps)


def _stop(steps: tuple[RolloutStep, ...], wish: Wish) -> End:
    failed = [step for step in steps if step.phase is Phase.FAILED]
    state = RolloutState.ABORTED if wish is Wish.ABORT else RolloutState.STOPPED
    if failed:
        return End(state, f"{failed[0].node}: {failed[0].reason}")
    if all(step.phase in ENDED for step in steps):
        return _complete(steps)
    return End(state, "on request" if wish is not Wish.NONE else "interrupted")


def _complete(steps: tuple[RolloutStep, ...]) -> End:
    """What was left out is as it was before: that must not be overlooked."""
    skipped = [step for step in steps if step.phase is Phase.SKIPPED]
    if not skipped:
        return End(RolloutState.COMPLETE)
    told = [f"{step.node}: {step.reason}" for step in skipped[:_MOST_TOLD]]
    if len(skipped) > _MOST_TOLD:
        told.append(f"and {len(skipped) - _MOST_TOLD} more")
    return End(RolloutState.COMPLETE, f"{len(skipped)} not changed: {', '.join(told)}")


# Nodes in work.


def _plan_onward(policy: Policy, steps: tuple[RolloutStep, ...], sight: Sight) -> Iterator[Enter]:
    for step in steps:
        outcome = sight.outcomes.get(step.node)
        if step.phase not in WORKING or outcome is None:
            continue
        move = _fail(policy, step, outcome) if outcome else _go_on(policy, step, sight)
        if move is not None:
            yield move


def _go_on(policy: Policy, step: RolloutStep, sight: Sight) -> Enter | None:
    """The action of its phase has ended well."""
    if step.phase is Phase.DRAINING:
        return _drain(policy, step, sight)
    if step.phase is Phase.RETURNING:
        return _return(policy, step, sight)
    if step.phase in (Phase.RESTORING, Phase.WITHDRAWING):
        return Enter(step.node, Phase.FAILED, step.reason)
    if step.phase is Phase.COMMAND and policy.checks:
        return Enter(step.node, Phase.CHECKING)
    if step.phase in (Phase.COMMAND, Phase.CHECKING) and policy.warms:
        return Enter(step.node, Phase.WARMING)
    return Enter(step.node, Phase.RETURNING)


def _drain(policy: Policy, step: RolloutStep, sight: Sight) -> Enter | None:
    seen = sight.nodes.get(step.node)
    if seen is None:
        return _fail(policy, step, "it is not in the group any more")
    if seen.online:
        return Enter(step.node, Phase.FAILED, "somebody has marked it online meanwhile")
    if seen.settled and seen.sessions == 0:
        return Enter(step.node, Phase.COMMAND)
    if sight.waited.get(step.node, 0.0) < policy.drain_timeout:
        return None
    if policy.on_drain_timeout is DrainPolicy.CONTINUE:
        return Enter(step.node, Phase.COMMAND)
    return _fail(policy, step, f"{_tell_rest(seen)} after {policy.drain_timeout:g} s")


def _tell_rest(seen: NodeSight) -> str:
    if not seen.settled or seen.sessions is None:
        return "not every device says that it sends it nothing new"
    return f"it still has {seen.sessions} sessions"


def _return(policy: Policy, step: RolloutStep, sight: Sight) -> Enter | None:
    seen = sight.nodes.get(step.node)
    if seen is None:
        return Enter(step.node, Phase.FAILED, "it is not in the group any more")
    if seen.serves and seen.settled:
        return Enter(step.node, Phase.DONE)
    if sight.waited.get(step.node, 0.0) < policy.online_timeout:
        return None
    why = "it is marked offline again" if not seen.online else "it is not up on every device"
    return _fail(policy, step, f"{why} after {policy.online_timeout:g} s")


def _fail(policy: Policy, step: RolloutStep, reason: str) -> Enter:
    """By policy; what failed to restore or to withdraw has failed."""
    if step.phase in (Phase.RESTORING, Phase.WITHDRAWING):
        return Enter(step.node, Phase.FAILED, f"{step.reason}; {reason}")
    if policy.on_failure is FailurePolicy.RESTORE:
        return Enter(step.node, Phase.RESTORING, reason)
    if step.phase is Phase.RETURNING:
        return Enter(step.node, Phase.WITHDRAWING, reason)
    return Enter(step.node, Phase.FAILED, reason)


# Nodes to come.


def _plan_begin(policy: Policy, steps: tuple[RolloutStep, ...], sight: Sight) -> Iterator[Enter]:
    room = policy.batch - sum(step.phase in WORKING for step in steps)
    serving = len(serving_nodes(steps, sight))
    minimum = _minimum(policy, sight)
    pending = [step for step in steps if step.phase is Phase.PENDING]
    for step in pending:
        seen = sight.nodes.get(step.node)
        if seen is None:
            yield Enter(step.node, Phase.SKIPPED, "it is not in the group any more")
        elif room > 0 and (seen.online or step.taken):
            left = serving - seen.serves
            if not seen.serves or left >= minimum:
                serving, room = left, room - 1
                yield Enter(step.node, Phase.DRAINING)
    if all(_is_away(step, sight) for step in pending) and room == policy.batch:
        for step in pending:
            if seen := sight.nodes.get(step.node):
                yield Enter(step.node, Phase.SKIPPED, f"it is offline{_tell_note(seen)}")


def _is_away(step: RolloutStep, sight: Sight) -> bool:
    """Offline, and not by this rollout."""
    seen = sight.nodes.get(step.node)
    return seen is None or not (seen.online or step.taken)


def _tell_note(seen: NodeSight) -> str:
    return f": {seen.note}" if seen.note else ""


def serving_nodes(steps: tuple[RolloutStep, ...], sight: Sight) -> set[str]:
    """Those that serve, but for those in work: what is seen of them may be over."""
    working = {step.node for step in steps if step.phase in WORKING}
    return {name for name, seen in sight.nodes.items() if seen.serves and name not in working}


def _tell_shortage(policy: Policy, steps: tuple[RolloutStep, ...], sight: Sight) -> str:
    serving, every = len(serving_nodes(steps, sight)), len(sight.nodes)
    return (
        f"cannot take another node: {serving} of {every} serve, and {_minimum(policy, sight)} must"
    )


def _minimum(policy: Policy, sight: Sight) -> int:
    return max(sight.least, count_minimum(policy.min_online, len(sight.nodes)))
