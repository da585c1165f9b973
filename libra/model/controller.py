"""The controller: a process that serves the API, and its loops, as it last told of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

WRITE_EVERY = timedelta(seconds=3)
"""How often a controller writes its row."""
LIVE = 4 * WRITE_EVERY
"""One that has not written for so long is gone, or cut off."""
FORGOTTEN_AFTER = timedelta(hours=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopState:
    """How a loop, or a step of one, does.

    `interval` is how often it is meant to turn, `limit` how long a turn may take until it counts as hung; both in
    seconds. `beat` is when it last turned, None where it never has (as where another controller manages). `failures`
    counts the turns that raised, since the process began; `error` is what the last of them said, `failed_at` when.
    `hung` says for how many seconds it has been hanging, 0 where it does not. `stores` are the shared things that it
    works on.
    """

    name: str
    interval: float
    limit: float
    beat: datetime | None = None
    failures: int = 0
    error: str = ""
    failed_at: datetime | None = None
    hung: float = 0.0
    stores: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """A process of this database. `manages`: whether it is the one that sends jobs, None until it knows."""

    id: str
    host: str
    pid: int
    release: str
    started_at: datetime
    seen_at: datetime
    manages: bool | None = None
    loops: tuple[LoopState, ...] = ()

    def is_live(self, now: datetime) -> bool:
        """Whether it wrote its row lately."""
        return now - self.seen_at < LIVE
