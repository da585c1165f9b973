"""The rollout: a change of every node of a group, one after the other, while the others serve."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from libra.errors import Conflict, Invalid

LEASE_SECONDS = 30.0
"""A client that has not been heard of for so long does not lead its rollout any more."""


class RolloutState(Enum):
    """How far it is."""

    RUNNING = "running"  # a client leads it, or did until it died
    STOPPED = "stopped"  # by a failure or by a person; it can be resumed
    COMPLETE = "complete"
    ABORTED = "aborted"

    @property
    def is_open(self) -> bool:
        """True where it can go on. A group has one such at most."""
        return self in (RolloutState.RUNNING, RolloutState.STOPPED)


OPEN = frozenset(state for state in RolloutState if state.is_open)


class Phase(Enum):
    """Where a node is. It is stored before what it stands for is done."""

    PENDING = "pending"
    DRAINING = "draining"  # marked offline, until its sessions have ended
    COMMAND = "command"  # what changes it runs
    CHECKING = "checking"  # until its health URL answers well
    WARMING = "warming"  # its first requests are made, before it gets others
    RETURNING = "returning"  # marked online, until it takes traffic everywhere
    RESTORING = "restoring"  # it failed, and is marked online all the same
    WITHDRAWING = "withdrawing"  # it did not come back, and is marked offline again
    DONE = "done"
    SKIPPED = "skipped"  # it was out of service before, or left the group
    FAILED = "failed"


WORKING = frozenset(
    (
        *(Phase.DRAINING, Phase.COMMAND, Phase.CHECKING, Phase.WARMING, Phase.RETURNING),
        *(Phase.RESTORING, Phase.WITHDRAWING),
    )
)
"""Somebody acts on the node."""
ENDED = frozenset((Phase.DONE, Phase.SKIPPED))
_FAILING = frozenset((Phase.RESTORING, Phase.WITHDRAWING, Phase.FAILED))
_ONWARD: dict[Phase, frozenset[Phase]] = {
    Phase.PENDING: frozenset((Phase.DRAINING, Phase.SKIPPED)),
    Phase.DRAINING: _FAILING | {Phase.COMMAND},
    Phase.COMMAND: _FAILING | {Phase.CHECKING, Phase.WARMING, Phase.RETURNING},
    Phase.CHECKING: _FAILING | {Phase.WARMING, Phase.RETURNING},
    Phase.WARMING: _FAILING | {Phase.RETURNING},
    Phase.RETURNING: _FAILING | {Phase.DONE},
    Phase.RESTORING: frozenset((Phase.FAILED,)),
    Phase.WITHDRAWING: frozenset((Phase.FAILED,)),
    Phase.DONE: frozenset(),
    Phase.SKIPPED: frozenset(),
    Phase.FAILED: frozenset((Phase.PENDING,)),  # by a resume
}


class DrainPolicy(Enum):
    """What is done with a node whose sessions do not end in time."""

    CONTINUE = "continue"  # they are cut off by what changes the node
    STOP = "stop"  # that is a failure


class FailurePolicy(Enum):
    """How a node is left that failed."""

    LEAVE = "leave"  # offline
    RESTORE = "restore"  # online, for its checks to decide


class Wish(Enum):
    """What somebody else asks of who leads a rollout: both finish the nodes in work, and take no other."""

    NONE = ""
    STOP = "stop"
    ABORT = "abort"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """`options` is JSON, as the client that began it gave it. `author` is a token's name, `holder` says who leads it.

    `lease` grows with each leader; one that names an older number is refused. Until `lease_until` nobody else may
    lead it. `reason` says why it was stopped or aborted, in a sentence; `wish` what somebody asks of its leader.
    """

    id: str
    group: str
    state: RolloutState = RolloutState.RUNNING
    reason: str = ""
    author: str
    options: str
    holder: str
    lease: int = 1
    lease_until: datetime
    wish: Wish = Wish.NONE
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None = None

    def is_led(self, now: datetime) -> bool:
        """Whether somebody leads it who may be alive."""
        return self.state is RolloutState.RUNNING and now < self.lease_until


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutStep:
    """One node of a rollout. `taken` is True from when it may be offline because of it.

    `position` orders them from 0. `reason` says why it failed or was skipped. `since` is when it entered its phase.
    """

    id: str
    rollout_id: str
    position: int
    node: str
    phase: Phase = Phase.PENDING
    reason: str = ""
    taken: bool = False
    since: datetime


def step_key(rollout_id: str, position: int) -> str:
    """The id of its step there."""
    return f"{rollout_id}/{position}"


def enter(step: RolloutStep, phase: Phase, reason: str, now: datetime) -> RolloutStep:
    """The step in that phase; raises `Conflict` where that is no way to go."""
    if phase not in _ONWARD[step.phase]:
        raise Conflict(
            f"cannot have the node '{step.node}' be {phase.value}: it is {step.phase.value}"
        )
    taken = phase is not Phase.PENDING or step.taken
    if phase in (Phase.DONE, Phase.SKIPPED) or (
        phase is Phase.FAILED and step.phase is Phase.RESTORING
    ):
        taken = False
    return replace(step, phase=phase, reason=reason, taken=taken, since=now)


def count_minimum(text: str, nodes: int) -> int:
    """How many must serve: "3", or "50%" of all, rounded up. Raises `Invalid`."""
    share = text.removesuffix("%")
    if not (share.isascii() and share.isdigit() and len(share) <= 5):
        raise Invalid(f"cannot keep {text!a} nodes online: it must be a number, or like 50%")
    number = int(share)
    if not text.endswith("%"):
        return number
    if number > 100:
        raise Invalid(f"cannot keep {text!a} of the nodes online: it is more than all")
    return -(-nodes * number // 100)
