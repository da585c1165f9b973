"""Pauses after failures: twice as long each time, until something succeeds."""

import threading
from datetime import datetime, timedelta

FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=10)


class Pauses:
    """By the id of what fails; safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pauses: dict[str, tuple[timedelta, datetime]] = {}  # how long, and until when

    def begin(self, key: str, now: datetime) -> timedelta:
        """It failed; how long it rests now."""
        with self._lock:
            before = self._pauses.get(key)
            pause = min(2 * before[0], LONGEST_PAUSE) if before else FIRST_PAUSE
            self._pauses[key] = (pause, now + pause)
        return pause

    def end(self, key: str) -> None:
        """It succeeded, or is gone; idempotent."""
        with self._lock:
            self._pauses.pop(key, None)

    def holds(self, key: str, now: datetime) -> bool:
        """Whether it rests still."""
        with self._lock:
            return key in self._pauses and self._pauses[key][1] > now
