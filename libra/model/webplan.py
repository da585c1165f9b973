"""What the nodes of a web cluster shall do next. Pure: decided on one snapshot, by nothing but that.

A node is told a revision of the definition and whether to listen. One that is told to listen is active; there are as
many of those as the cluster has nodes that are no standby. Only a node that hands over to another, because it leaves or
because the one that it stands for is back, is active for one job longer than it should.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

MOST_DOUBLED = 6  # times
NOTHING = 0  # the revision of a node that shall have nothing of the cluster


class Phase(Enum):
    """What is wanted of the cluster as a whole."""

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    DEGRADED = "DEGRADED"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebNode:
    """A node as it is known to be.

    `revision` and `active` are what it was told at `told_at`; `settled` says that it has confirmed that, `refused` why
    it did not. `reachable`: its device is ready and answered when it was asked last. `leaving`: its device is about to
    go. `answers`: whether its listener did at the last probe, None where it has none or was not asked yet.
    `good_since`: since when it has been reachable and settled. `trusted`: nothing was wrong with it when it was told,
    so what is wrong now came with that. `failures` counts the times that it lost its place since it last kept it.
    """

    oid: str
    name: str
    standby: bool = False
    active: bool = False
    promoted_for: str | None = None
    revision: int = NOTHING
    told_at: datetime
    settled: bool = True
    refused: str = ""
    reachable: bool = True
    leaving: bool = False
    answers: bool | None = None
    good_since: datetime | None = None
    trusted: bool = True
    failures: int = 0

    @property
    def usable(self) -> bool:
        """True where it may be given something to do."""
        return self.reachable and not self.leaving and not self.refused

    @property
    def serves(self) -> bool:
        """True where a request through it was answered."""
        return self.active and self.reachable and self.settled and self.answers is True

    @property
    def is_changing(self) -> bool:
        """True where it served, and is being told of something else, which costs no request."""
        well = self.active and self.reachable and self.trusted and not self.refused
        return well and self.revision != NOTHING and self.answers is None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebView:
    """A cluster of one moment. `revision` is its newest, `good` the last that every node had."""

    phase: Phase
    revision: int
    good: int = NOTHING
    nodes: tuple[WebNode, ...] = ()

    @property
    def wanted(self) -> int:
        """How many nodes shall be active."""
        return sum(not item.standby for item in self.nodes)


@dataclass(frozen=True, slots=True)
class Tell:
    """Have a node run this revision, listening or not, in the place of another one or in its own."""

    oid: str
    revision: int
    active: bool
    promoted_for: str | None = None
    failed: bool = False  # it loses its place because it does not serve


@dataclass(frozen=True, slots=True)
class RollBack:
    """The newest revision is given up for that one, which every node had."""

    revision: int
    reason: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Every node has this revision."""

    revision: int


Action = Tell | RollBack | Finish


@dataclass(frozen=True, slots=True)
class WebPlan:
    """What to do now, and how the cluster is before that is done."""

    actions: tuple[Action, ...]
    phase: Phase
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """`grace`: how long a node has to be good before it is given its place back. `patience`: how long a listener may
    take to answer after it was changed.
    """

    grace: timedelta = timedelta(seconds=30)
    patience: timedelta = timedelta(seconds=30)


def plan_web(view: WebView, now: datetime, pace: Pace) -> WebPlan:
    """The next steps; empty where all is as it shall be, or where an answer has to come first."""
    if view.phase is Phase.STOPPING:
        return _plan_stop(view)
    if view.phase is Phase.STOPPED:
        return WebPlan((), view.phase)
    phase, reason = _judge(view)
    if back := _find_fault(view, now, pace):
        return WebPlan((back,), phase, back.reason)
    switches = list(_plan_switches(view, now, pace))
    if switches:
        return WebPlan(tuple(switches), phase, reason)
    return WebPlan(tuple(_plan_rollout(view)), phase, reason)


def _plan_stop(view: WebView) -> WebPlan:
    """Those that cannot be told are, when they are heard of again."""
    tells = tuple(
        Tell(item.oid, NOTHING, active=False) for item in view.nodes if item.revision != NOTHING
    )
    waits = any(item.reachable and not item.settled for item in view.nodes)
    return WebPlan(tells, Phase.STOPPING if tells or waits else Phase.STOPPED)


def _judge(view: WebView) -> tuple[Phase, str]:
    """How it does, and why not better."""
    reason = "; ".join(_complaints(view))
    runs = view.phase is Phase.RUNNING
    serving = sum(item.serves or (runs and item.is_changing) for item in view.nodes)
    begins = view.phase in (Phase.STARTING, Phase.ERROR)
    if serving >= view.wanted and (not begins or not reason):
        return Phase.RUNNING, reason
    if not begins or (serving and any(item.refused for item in view.nodes)):
        return Phase.DEGRADED, reason
    if any(item.refused for item in view.nodes):
        return Phase.ERROR, reason
    return view.phase, reason


def _complaints(view: WebView) -> Iterable[str]:
    for item in view.nodes:
        if item.refused:
            yield f"{item.name} refuses it: {item.refused}"
        elif (item.standby and not item.active) or (
            view.phase is Phase.RUNNING and item.is_changing
        ):
            continue
        elif not item.reachable:
            yield f"{item.name} does not answer"
        elif item.revision == NOTHING or not item.settled:
            yield f"{item.name} has not confirmed it yet"
        elif item.active and item.answers is not True:
            yield f"{item.name} answers no request"


# A definition that does not work is given up.


def _find_fault(view: WebView, now: datetime, pace: Pace) -> RollBack | None:
    if view.good in (NOTHING, view.revision):
        return None
    for item in view.nodes:
        if item.revision != view.revision:
            continue
        if item.refused:
            return RollBack(view.good, f"{item.name} refuses it: {item.refused}")
        if item.active and item.reachable and item.trusted and _is_silent(item, now, pace):
            return RollBack(view.good, f"{item.name} answers no request with it")
    return None


# Who is active.


def _plan_switches(view: WebView, now: datetime, pace: Pace) -> Iterable[Tell]:
    free = [item for item in view.nodes if _may_stand_in(item, view)]
    stood_for = {item.promoted_for for item in view.nodes if item.active}
    for item in view.nodes:
        if not item.active:
            continue
        if item.promoted_for is not None:
            yield from _plan_return(item, view, now, pace)
        if _has_failed(item, now, pace) and free and item.oid not in stood_for:
            other = _choose(free)
            free.remove(other)
            yield Tell(item.oid, item.revision, False, failed=True)
            yield Tell(other.oid, other.revision, True, item.promoted_for or item.oid)
        elif item.leaving:
            yield from _plan_leave(item, view, free)
    yield from _plan_surplus(view)
    yield from _plan_openings(view)


def _may_stand_in(item: WebNode, view: WebView) -> bool:
    """It has been loaded and checked there, so that it takes one step."""
    ready = item.usable and item.settled and item.revision in (view.revision, view.good)
    return ready and not item.active and item.revision != NOTHING


def _choose(free: Sequence[WebNode]) -> WebNode:
    """One that is meant for it rather than one that waits for its own place."""
    return min(free, key=lambda item: (not item.standby, item.name))


def _has_failed(item: WebNode, now: datetime, pace: Pace) -> bool:
    return bool(item.refused) or not item.reachable or _is_silent(item, now, pace)


def _is_silent(item: WebNode, now: datetime, pace: Pace) -> bool:
    """It was changed, and then asked, long enough ago."""
    return item.settled and item.answers is False and now - item.told_at >= pace.patience


def _plan_leave(item: WebNode, view: WebView, free: list[WebNode]) -> Iterable[Tell]:
    """First the other one serves, then this one does not."""
    stand_ins = [one for one in view.nodes if one.active and one.promoted_for == item.oid]
    if any(one.serves for one in stand_ins):
        yield Tell(item.oid, item.revision, active=False)
    elif not stand_ins and free:
        other = _choose(free)
        free.remove(other)
        yield Tell(other.oid, other.revision, True, item.oid)


def _plan_return(item: WebNode, view: WebView, now: datetime, pace: Pace) -> Iterable[Tell]:
    """The one that it stands for is good again: first that one serves, then this one does not."""
    first = next((one for one in view.nodes if one.oid == item.promoted_for), None)
    if first is None or first.leaving:
        return
    if first.active:
        if first.serves:
            yield Tell(item.oid, item.revision, active=False)
        elif _has_failed(first, now, pace):
            yield Tell(first.oid, first.revision, False, failed=True)
        return
    grace = pace.grace * 2 ** min(max(0, first.failures - 1), MOST_DOUBLED)
    long_good = first.good_since is not None and now - first.good_since >= grace
    if long_good and _may_stand_in(first, view):
        yield Tell(first.oid, first.revision, active=True)


def _plan_surplus(view: WebView) -> Iterable[Tell]:
    """Where a node was taken out, or made a standby, whoever stood in for it closes."""
    known = {item.oid for item in view.nodes}
    active = [item for item in view.nodes if item.active]
    handed_over = {item.promoted_for for item in active} & {item.oid for item in active}
    surplus = len(active) - view.wanted - len(handed_over)

    def order(item: WebNode) -> tuple[bool, bool, str]:
        in_vain = item.promoted_for is not None and item.promoted_for not in known
        return not in_vain, not item.standby, item.name

    for item in sorted(active, key=order)[: max(0, surplus)]:
        yield Tell(item.oid, item.revision, active=False)


def _plan_openings(view: WebView) -> Iterable[Tell]:
    """A node that was a standby and is none any more."""
    room = view.wanted - sum(item.active for item in view.nodes)
    places = {item.promoted_for for item in view.nodes if item.active}
    for item in view.nodes:
        able = _may_stand_in(item, view) and not item.standby and item.oid not in places
        if able and room > 0:
            room -= 1
            yield Tell(item.oid, item.revision, active=True)


# Who has which definition.


def _plan_rollout(view: WebView) -> Iterable[Action]:
    """New nodes at once, for nobody depends on them; the others one after the other, each only when the one before
    serves.
    """
    room = view.wanted - sum(item.active for item in view.nodes)
    new = [item for item in view.nodes if item.revision == NOTHING and item.usable]
    for item in new:
        active = not item.standby and room > 0
        room -= active
        yield Tell(item.oid, view.revision, active)
    if new or any(_is_busy(item, view) for item in view.nodes):
        return
    behind = [item for item in view.nodes if item.revision not in (NOTHING, view.revision)]
    told = sorted((item for item in behind if item.usable), key=lambda one: (one.active, one.name))
    if told:
        yield _renew(told[0], view)
        return
    yield from (_renew(item, view) for item in behind)
    has_it = not view.nodes or any(item.settled and item.revision for item in view.nodes)
    if not behind and has_it and view.good != view.revision:
        yield Finish(view.revision)


def _is_busy(item: WebNode, view: WebView) -> bool:
    """It is being changed, or has not shown yet that it serves."""
    if not item.usable or item.revision == NOTHING:
        return False
    changed = item.revision == view.revision and item.trusted
    return not item.settled or (changed and item.active and item.answers is not True)


def _renew(item: WebNode, view: WebView) -> Tell:
    return Tell(item.oid, view.revision, item.active, item.promoted_for)
