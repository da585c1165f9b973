"""A point in time by which something must be over."""

import time
from collections.abc import Callable
from typing import Self


class Deadline:
    """So many seconds from now."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        """Seconds that are left, never below 0."""
        return max(0.0, self._end - self._clock())

    def passed(self) -> bool:
        """Whether no time is left."""
        return self._clock() >= self._end

    def within(self, seconds: float) -> Self:
        """A deadline in so many seconds, but not later than this one."""
        return type(self)(min(seconds, self.left()), self._clock)
