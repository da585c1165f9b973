"""When whom to ping, and what came of it. No I/O and no clock: the caller says how late it is, in seconds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

from libra.drivers.haproxy.pinging.health import Health, PingOutcome, Seen
from libra.drivers.haproxy.pinging.targets import ServerKey, Target


class Ping(NamedTuple):
    """One to be sent; the number comes back with the answer."""

    number: int
    address: str


@dataclass(slots=True, eq=False)
class _Watched:
    target: Target
    health: Health = field(default_factory=Health)
    outcome: PingOutcome | None = None
    address: str | None = None  # where it is pinged; None where it is not (yet)
    sent: float = 0.0
    awaited: int | None = None  # the number of the ping that is under way
    plan: int = 0  # the number of its next one's place in the queue: others there are outdated


class Schedule:
    """One ping of a member is under way at any time. Not for several threads at once."""

    def __init__(self) -> None:
        self._watched: dict[ServerKey, _Watched] = {}
        self._due: list[tuple[float, int, _Watched]] = []
        self._ends: list[tuple[float, int]] = []
        self._awaited: dict[int, _Watched] = {}
        self._number = 0
        self._turned: dict[ServerKey, bool] = {}

    def __len__(self) -> int:
        return len(self._watched)

    def keys(self) -> frozenset[ServerKey]:
        """Of all that are watched."""
        return frozenset(self._watched)

    def watch(self, targets: Mapping[ServerKey, Target]) -> None:
        """These from now on; what is known of those that stay as they are is kept."""
        for key in [*self._watched]:
            if self._watched[key].target != targets.get(key):
                self._drop(self._watched.pop(key))
        for key, target in targets.items():
            if key not in self._watched:
                self._watched[key] = _Watched(target)

    def see(self, seen: Mapping[ServerKey, Seen], now: float) -> dict[ServerKey, bool]:
        """What HAProxy says of its servers; returns where it has to be told otherwise.

        What it says is believed of those of which nothing is known, so that a worker that comes back turns none that
        it knows nothing about.
        """
        fresh: list[_Watched] = []
        for key, one in self._watched.items():
            server = seen.get(key)
            if server is None:
                continue  # a process that is just being replaced does not know it yet
            address = None if server.out else one.target.address or server.address
            if address != one.address:
                self._move(one, address)
                fresh += [one] if address is not None else []
            if one.health.is_up is None and address is not None:
                one.health = Health(server.is_up)
        self._spread(fresh, now)
        return {
            key: is_up
            for key, one in self._watched.items()
            if (is_up := one.health.is_up) is not None
            and (server := seen.get(key)) is not None
            and not server.agrees(is_up=is_up)
        }

    def take_due(self, now: float, most: int) -> Iterator[Ping]:
        """Those that are to be sent now; each is under way when it is returned."""
        while most > 0 and self._due and self._due[0][0] <= now:
            _, number, one = heappop(self._due)
            if number != one.plan or one.address is None:
                continue
            most -= 1
            self._number += 1
            one.sent, one.awaited = now, self._number
            self._awaited[self._number] = one
            heappush(self._ends, (now + one.target.timeout, self._number))
            yield Ping(self._number, one.address)

    def awaits(self, number: int) -> str | None:
        """The address that this ping went to, as long as it is under way."""
        one = self._awaited.get(number)
        return one.address if one is not None else None

    def settle(self, number: int, outcome: PingOutcome, now: float) -> None:
        """What came of a ping that is under way."""
        one = self._again(number, now)
        if one is None:
            return
        before, one.outcome = one.health.is_up, outcome
        one.health = one.health.after(one.target, outcome)
        if one.health.is_up is not before and one.health.is_up is not None:
            self._turned[one.target.key] = one.health.is_up

    def expire(self, now: float) -> None:
        """Settle those that nobody answered in time."""
        while self._ends and self._ends[0][0] <= now:
            self.settle(heappop(self._ends)[1], PingOutcome.SILENT, now)

    def void(self, number: int, now: float) -> None:
        """A ping that says nothing, for it was this host that could not send it."""
        self._again(number, now)

    def void_all(self, now: float) -> None:
        """None of those that are under way says anything, as after a time when nobody listened."""
        for number in [*self._awaited]:
            self.void(number, now)
        self._ends.clear()

    def take_turned(self) -> dict[ServerKey, bool]:
        """Those that came up or went down since the last call."""
        turned, self._turned = self._turned, {}
        return turned

    def outcomes(self) -> dict[ServerKey, PingOutcome | None]:
        """The last one of each, None where there was none yet."""
        return {key: one.outcome for key, one in self._watched.items()}

    def next_event(self) -> float | None:
        """When there is something to do again, None where nothing is under way."""
        times = [heap[0][0] for heap in (self._due, self._ends) if heap]
        return min(times, default=None)

    def _again(self, number: int, now: float) -> _Watched | None:
        one = self._awaited.pop(number, None)
        if one is None:
            return None
        one.awaited = None
        self._plan(one, max(one.sent + one.target.interval, now))
        return one

    def _move(self, one: _Watched, address: str | None) -> None:
        """Elsewhere it may be another program; and of one in maintenance nobody knows how it will come back."""
        if one.awaited is not None:
            self._awaited.pop(one.awaited, None)
        one.awaited, one.address, one.plan = None, address, 0
        one.health, one.outcome = Health(), None

    def _spread(self, fresh: list[_Watched], now: float) -> None:
        """Over their interval, so that thousands do not answer at one moment."""
        for place, one in enumerate(fresh):
            self._plan(one, now + one.target.interval * place / len(fresh))

    def _plan(self, one: _Watched, when: float) -> None:
        """Numbered, for equal times would compare what cannot be compared."""
        self._number += 1
        one.plan = self._number
        heappush(self._due, (when, one.plan, one))

    def _drop(self, one: _Watched) -> None:
        one.plan = 0
        if one.awaited is not None:
            self._awaited.pop(one.awaited, None)
        self._turned.pop(one.target.key, None)
