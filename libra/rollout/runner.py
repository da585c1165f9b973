"""Leads a rollout: looks, has the next step decided, stores it, does it, until nothing is left to do."""

import queue
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from libra.errors import LibraError
from libra.model.rollout import LEASE_SECONDS, WORKING, Phase, RolloutState
from libra.model.rolloutplan import End, Enter, Sight, plan_moves
from libra.rollout.actions import Actions
from libra.rollout.leading import Fleet, Led, RolloutApi
from libra.rollout.templates import Node

RENEW_SECONDS = LEASE_SECONDS / 10
SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 0.5
_WATCHED = (Phase.DRAINING, Phase.RETURNING)


class Watcher(Protocol):
    """Who looks on."""

    def show(self, led: Led, fleet: Fleet, waited: dict[str, float]) -> None:
        """How it is; often. `waited` has the seconds that each node in work is in its phase."""

    def tell(self, node: str, line: str) -> None:
        """A line of its command. From other threads, too."""


@dataclass(slots=True)
class _Progress:
    """What this process knows beside the records: times are monotonic."""

    fleet: Fleet
    look_seconds: float = 0.0  # that it took to look
    outcomes: dict[str, str] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)
    idle_since: float = field(default_factory=time.monotonic)
    renewed: float = field(default_factory=time.monotonic)


class Runner:
    """`run` once. `interrupt` may be called from anywhere, and from a signal's handler."""

    def __init__(
        self,
        api: RolloutApi,
        led: Led,
        actions: Actions,
        watcher: Watcher,
        cancelled: threading.Event,
    ) -> None:
        self._api = api
        self._led = led
        self._policy = led.options.policy()
        self._actions = actions
        self._watcher = watcher
        self._cancelled = cancelled
        self._ended: queue.SimpleQueue[tuple[str, Phase, str] | None] = queue.SimpleQueue()
        self._interrupted = False

    def interrupt(self) -> None:
        """The first time nodes in work are finished, and no other is taken. The second time it ends at once."""
        if self._interrupted:
            self._cancelled.set()
            self._api.given_up.set()
        self._interrupted = True
        self._ended.put(None)

    def run(self) -> Led:
        """As it is then. Raises `LibraError` where it cannot be led any more."""
        try:
            progress = _Progress(self._api.look(self._led.group))
            end = self._lead(progress)
            if end is None:  # nodes in work stay in their phases, from which a resume goes on
                working = _tell_working((step.node, step.phase) for step in self._led.steps)
                end = End(RolloutState.STOPPED, f"interrupted in the middle{working}")
            self._led = self._api.end(self._led, end.state, _in_a_line(end.reason))
        except LibraError as error:
            with suppress(LibraError):  # such as a lease that another has
                self._api.end(self._led, RolloutState.STOPPED, _in_a_line(str(error)))
            raise
        self._watcher.show(self._led, progress.fleet, {})
        return self._led

    def _lead(self, progress: _Progress) -> End | None:
        """None where it was told to end at once. What was begun has ended, well or not, when this returns."""
        working = [step for step in self._led.steps if step.phase in WORKING]
        pause = SHORTEST_PAUSE
        with ThreadPoolExecutor(max(len(working), self._policy.batch)) as pool:
            try:
                for step in working:
                    self._begin(pool, progress, step.node, step.phase)
                while not self._cancelled.is_set():
                    self._renew(progress)
                    end = self._turn(pool, progress)
                    if isinstance(end, End):
                        return end
                    pause = SHORTEST_PAUSE if end else min(2 * pause, LONGEST_PAUSE)
                    if not end:  # a fleet that takes long to ask is not asked all the time
                        self._collect(progress, max(pause, progress.look_seconds))
            except BaseException:
                self._cancelled.set()
                raise
        return None

    def _turn(self, pool: ThreadPoolExecutor, progress: _Progress) -> End | bool:
        """The end, or whether anything was done. Outcomes are read before the fleet is looked at: a mark that was set
        is seen in what is looked at after it.
        """
        self._collect(progress, 0.0)
        outcomes = dict(progress.outcomes)
        if self._is_to_look():
            started = time.monotonic()
            progress.fleet = self._api.look(self._led.group)
            progress.look_seconds = time.monotonic() - started
        sight = self._sight(progress, outcomes)
        self._watcher.show(self._led, progress.fleet, dict(sight.waited))
        moves = plan_moves(self._policy, self._led.steps, sight, self._led.wish)
        for move in moves:
            if isinstance(move, End):
                return move
            self._enter(pool, progress, move)
        return bool(moves)

    def _is_to_look(self) -> bool:
        """Not while all that goes on is commands: every device is asked."""
        working = [step.phase for step in self._led.steps if step.phase in WORKING]
        is_full = len(working) >= self._policy.batch
        return not is_full or any(phase in _WATCHED for phase in working)

    def _sight(self, progress: _Progress, outcomes: dict[str, str]) -> Sight:
        now = time.monotonic()
        working = [step.node for step in self._led.steps if step.phase in WORKING]
        if working:
            progress.idle_since = now
        return Sight(
            nodes=progress.fleet.sights,
            least=progress.fleet.least,
            outcomes=outcomes,
            waited={name: now - progress.since.get(name, now) for name in working},
            idle=now - progress.idle_since,
            interrupted=self._interrupted,
        )

    def _enter(self, pool: ThreadPoolExecutor, progress: _Progress, move: Enter) -> None:
        """Stored first."""
        self._led = self._api.record(self._led, move.node, move.phase, move.reason)
        progress.renewed = time.monotonic()
        progress.outcomes.pop(move.node, None)
        if move.phase in WORKING:
            self._begin(pool, progress, move.node, move.phase)

    def _begin(
        self, pool: ThreadPoolExecutor, progress: _Progress, node: str, phase: Phase
    ) -> None:
        progress.since[node] = time.monotonic()
        known = progress.fleet.nodes.get(node)
        if known is None:
            progress.outcomes[node] = "it is not in the group any more"
            return
        pool.submit(self._act, self._led, known, phase)

    def _act(self, led: Led, node: Node, phase: Phase) -> None:
        """In a thread of its own; always has an outcome."""
        words = "it was broken off"
        try:
            self._actions.act(led, node, phase)
            words = ""
        except LibraError as error:
            words = str(error)
        finally:
            self._ended.put((node.name, phase, _in_a_line(words)))

    def _collect(self, progress: _Progress, seconds: float) -> None:
        """Outcomes of actions; waits so long for the first."""
        with suppress(queue.Empty):
            self._take(progress, self._ended.get(timeout=seconds) if seconds else None)
            while True:
                self._take(progress, self._ended.get_nowait())

    def _take(self, progress: _Progress, ended: tuple[str, Phase, str] | None) -> None:
        if ended is None:
            return
        name, phase, words = ended
        if any(step.node == name and step.phase is phase for step in self._led.steps):
            progress.outcomes[name] = words

    def _renew(self, progress: _Progress) -> None:
        if time.monotonic() - progress.renewed >= RENEW_SECONDS:
            self._led = self._api.renew(self._led)
            progress.renewed = time.monotonic()


def _tell_working(steps: Iterable[tuple[str, Phase]]) -> str:
    found = [f"{node} is {phase.value}" for node, phase in steps if phase in WORKING]
    return f": {', '.join(found)}" if found else ""


def _in_a_line(words: str) -> str:
    """Fit to be stored."""
    printable = "".join(sign if sign.isprintable() else " " for sign in words)
    return printable[:1000]
