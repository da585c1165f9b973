"""Who of a daemon's loops turns, and who hangs: written by those who turn, read by everybody.

Time is the processor's own, for a clock that is set back or forth is no sign of anything.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from libra.model.controller import LoopState

Ticks = Callable[[], float]
LONGEST_TEXT = 500
LIMIT_SECONDS = 30.0


class Beat:
    """Of one loop, or of one step of a loop.

    `endless`: it is to beat every `interval` seconds while it runs. The others are looked at only while they are in
    a turn. Whoever takes longer than `limit` seconds beyond that hangs.
    """

    def __init__(
        self,
        name: str,
        *,
        interval: float,
        limit: float,
        stores: tuple[str, ...] = (),
        endless: bool = False,
        ticks: Ticks = time.monotonic,
    ) -> None:
        self.name = name
        self.interval = interval
        self.limit = limit
        self.stores = stores
        self._endless = endless
        self._ticks = ticks
        self._lock = threading.Lock()
        self._runs = False
        self._last: float | None = None
        self._turns: dict[int, tuple[float, float]] = {}  # by thread: seconds, and by when
        self._failures = 0
        self._error = ""
        self._failed: float | None = None

    def beat(self) -> None:
        """It turns."""
        with self._lock:
            self._runs = True
            self._last = self._ticks()

    def rest(self) -> None:
        """It has ended, as it should, or waits for its time to come."""
        with self._lock:
            self._runs = False

    @contextmanager
    def turn(self, within: float = 0.0) -> Iterator[None]:
        """One turn of this thread, that may take so many seconds by itself; a beat at its end.

        One inside another gives that one its time anew: it has come to the next of many things.
        """
        thread = threading.get_ident()
        with self._lock:
            outer = self._turns.get(thread)
            self._turns[thread] = (within, self._ticks() + within)
        try:
            yield
        finally:
            with self._lock:
                self._last = self._ticks()
                if outer is None:
                    del self._turns[thread]
                else:
                    self._turns[thread] = (outer[0], self._last + outer[0])

    def fail(self, error: BaseException) -> None:
        """A turn raised that."""
        text = f"{type(error).__name__}: {_text(error)}".removesuffix(": ")
        with self._lock:
            self._failures += 1
            self._error = text[:LONGEST_TEXT]
            self._failed = self._ticks()

    def hung(self) -> float:
        """For how many seconds it should have been through; 0 where all is well."""
        with self._lock:
            return self._hung(self._ticks())

    def _hung(self, now: float) -> float:
        due = [until for _, until in self._turns.values()]
        if self._endless and self._runs and self._last is not None:
            due.append(self._last + self.interval)
        late = now - min(due, default=now)
        return late if late > self.limit else 0.0

    @property
    def in_turn(self) -> bool:
        """Whether it is about it right now."""
        return bool(self._turns)

    def state(self, clock: datetime) -> LoopState:
        """As it is told to others; `clock` is what time it is."""
        with self._lock:
            now = self._ticks()

            def moment(at: float | None) -> datetime | None:
                return None if at is None else clock - timedelta(seconds=now - at)

            return LoopState(
                name=self.name,
                interval=self.interval,
                limit=self.limit,
                beat=moment(self._last),
                failures=self._failures,
                error=self._error,
                failed_at=moment(self._failed),
                hung=round(self._hung(now), 3),
                stores=self.stores,
            )


@dataclass(slots=True)
class Beats:
    """All of a process. `limit` is in seconds, for those that have none of their own."""

    limit: float = LIMIT_SECONDS
    ticks: Ticks = time.monotonic
    _known: dict[str, Beat] = field(default_factory=dict)

    def add(
        self,
        name: str,
        *,
        interval: float,
        stores: tuple[str, ...] = (),
        limit: float | None = None,
        endless: bool = False,
    ) -> Beat:
        """A new one, in place of another of that name."""
        beat = Beat(
            name,
            interval=interval,
            limit=self.limit if limit is None else limit,
            stores=stores,
            endless=endless,
            ticks=self.ticks,
        )
        self._known = {**self._known, name: beat}
        return beat

    def states(self, clock: datetime) -> tuple[LoopState, ...]:
        """In the order in which they were added."""
        return tuple(beat.state(clock) for beat in self._known.values())

    def hung(self) -> list[Beat]:
        """Those that hang. Where a step does, its loop does so because of it and is not named."""
        found = [beat for beat in self._known.values() if beat.hung()]
        return [beat for beat in found if beat.in_turn] or found

    def fault(self) -> str:
        """What is wrong, in words for a person; empty where all is well."""
        return "; ".join(
            f"the loop '{beat.name}' hangs, for {beat.hung():.0f} s by now" for beat in self.hung()
        )


def _text(error: BaseException) -> str:
    try:
        return " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - a broken __str__ must not cost the loop
        return ""
