"""How long to leave a failing server alone."""

import random
import time
from collections.abc import Callable

_CHANCE = random.Random()  # noqa: S311 - no secret; of its own, so that nobody else's sequence is disturbed


class Backoff:
    """Doubles the pause with every failure in a row, from `first` to `most` seconds; one success ends it.

    Every pause is shortened at random by up to a third: where a server comes back, its thousand workers do not
    come back in the same instant.
    """

    def __init__(
        self,
        first: float,
        most: float,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = _CHANCE.random,
    ) -> None:
        self._first = first
        self._most = most
        self._clock = clock
        self._chance = chance
        self._next = first
        self._until = clock()

    def fail(self) -> float:
        """Note a failure; seconds until the next try is due."""
        pause = self._next * (1.0 - self._chance() / 3.0)
        self._next = min(self._next * 2.0, self._most)
        self._until = self._clock() + pause
        return pause

    def succeed(self) -> None:
        """Note a success."""
        self._next = self._first
        self._until = self._clock()

    def due(self) -> bool:
        """Whether the next try is due."""
        return self._clock() >= self._until

    @property
    def until(self) -> float:
        """When the next try is due, on the clock."""
        return self._until
