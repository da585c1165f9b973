"""Which device fails when, and how. Pure: the same seed gives the same schedule, in every process."""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class FaultKind(Enum):
    """What happens to a device, for as long as a fault lasts."""

    AWAY = "away"
    """Its connections close; it comes back as it was."""
    WIPED = "wiped"
    """As AWAY, and what it ran is lost."""
    FROZEN = "frozen"
    """Its connections stay, and it says nothing: hung, or cut off."""
    PROXY = "proxy"
    """It answers, and its proxy does not run."""
    SLOW = "slow"
    """Each of its answers takes `SLOW_SECONDS`."""


SLOW_SECONDS = 2.0
_HOUR = 3600.0


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """`at` and `seconds` are counted from the moment when all devices are registered; `number` is the device's."""

    at: float
    number: int
    kind_name: str
    seconds: float

    @property
    def kind(self) -> FaultKind:
        """What happens to it."""
        return FaultKind(self.kind_name)

    @property
    def until(self) -> float:
        """When it is over."""
        return self.at + self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """At one moment a share of all devices, from 0 to 1, is cut off at once."""

    share: float
    at: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """`an_hour`: how many faults a device has in an hour, on average; `seconds`: how long one lasts, on average."""

    seed: int = 0
    an_hour: float = 0.0
    seconds: float = 30.0
    cut: Cut | None = None


def plan_faults(schedule: Schedule, devices: int) -> Iterator[Fault]:
    """In order of time, without an end; none begins on a device where another one lasts."""
    busy = [0.0] * devices
    for fault in heapq.merge(_single(schedule, devices), _cut(schedule, devices)):
        if busy[fault.number] <= fault.at:
            busy[fault.number] = fault.until
            yield fault


class FaultClock:
    """Tells which faults begin and end as time goes on."""

    def __init__(self, faults: Iterator[Fault]) -> None:
        self._faults = faults
        self._next = next(faults, None)
        self._lasting: list[tuple[float, Fault]] = []

    def turn(self, now: float) -> tuple[list[Fault], list[Fault]]:
        """Those that begin, and those that end, since the last turn; one may be in both, where turns are rare."""
        begun, ended = [], []
        while self._next is not None and self._next.at <= now:
            begun.append(self._next)
            heapq.heappush(self._lasting, (self._next.until, self._next))
            self._next = next(self._faults, None)
        while self._lasting and self._lasting[0][0] <= now:
            ended.append(heapq.heappop(self._lasting)[1])
        return begun, ended


def _single(schedule: Schedule, devices: int) -> Iterator[Fault]:
    """As a Poisson process: where nothing is behind it, faults come by chance, also two at once."""
    chance = random.Random(schedule.seed)  # noqa: S311 - no secret
    kinds = [kind.value for kind in FaultKind]
    a_second = schedule.an_hour * devices / _HOUR
    at = 0.0
    while a_second > 0:
        at += chance.expovariate(a_second)
        seconds = schedule.seconds * chance.uniform(0.5, 1.5)
        yield Fault(at, chance.randrange(devices), chance.choice(kinds), seconds)


def _cut(schedule: Schedule, devices: int) -> Iterator[Fault]:
    cut = schedule.cut
    if cut is None:
        return
    chance = random.Random(f"{schedule.seed} cut")  # noqa: S311 - no secret
    for number in sorted(chance.sample(range(devices), round(cut.share * devices))):
        yield Fault(cut.at, number, FaultKind.FROZEN.value, cut.seconds)
