"""Waiting for another process: never without an end."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

T = TypeVar("T")

EVERY = timedelta(milliseconds=2)  # a question to HAProxy costs 30 microseconds


class Deadline:
    """An end that is fixed when it is made."""

    def __init__(self, within: timedelta) -> None:
        self.within = within
        self._end = time.monotonic() + within.total_seconds()

    @property
    def left_seconds(self) -> float:
        """Never negative."""
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        """True from the end on."""
        return time.monotonic() >= self._end


def wait_for(probe: Callable[[], T | None], deadline: Deadline) -> T | None:
    """The first answer of `probe` that is not None; None where the deadline passed without one.

    The probe runs at least once, and once more after the deadline, so that a machine that stood still does not
    make a good answer late.
    """
    while True:
        last = deadline.passed
        answer = probe()
        if answer is not None or last:
            return answer
        time.sleep(min(EVERY.total_seconds(), deadline.left_seconds))
