"""When to try a request again, and until when."""

import random
import time
from dataclasses import dataclass
from datetime import timedelta

# Statuses that may be gone next time. 422: the bytes were damaged on their way, as the ETag showed.
TRANSIENT_STATUSES = frozenset({408, 422, 425, 429, 498, 499})


def is_transient(status: int) -> bool:
    """True for answers that may be different next time."""
    return status in TRANSIENT_STATUSES or 500 <= status <= 599


_CHANCE = random.Random()  # noqa: S311 - no secret; of its own, so that nobody else's sequence is disturbed


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often a request is tried, and how long to wait in between: twice as long each time, with jitter.

    `network_timeout` bounds one network operation.
    """

    attempts: int = 3
    first_delay: timedelta = timedelta(seconds=0.5)
    longest_delay: timedelta = timedelta(seconds=30)
    network_timeout: timedelta = timedelta(seconds=30)

    def delay_seconds(self, failures: int, asked_seconds: float = 0.0) -> float:
        """How long to wait after so many failures; `asked_seconds` is the server's Retry-After."""
        longest = self.longest_delay.total_seconds()
        grown = min(longest, self.first_delay.total_seconds() * 2.0 ** (failures - 1))
        jittered = grown * _CHANCE.uniform(0.5, 1.0)
        return max(jittered, min(asked_seconds, longest))


class Deadline:
    """A moment on the monotonic clock."""

    def __init__(self, after: timedelta) -> None:
        self.after = after
        self._at = time.monotonic() + after.total_seconds()

    @property
    def remaining_seconds(self) -> float:
        """Zero when it has passed."""
        return max(0.0, self._at - time.monotonic())

    @property
    def words(self) -> str:
        """For the error of whoever waited in vain."""
        return f"all together took longer than {self.after.total_seconds():g} s"

    @property
    def has_passed(self) -> bool:
        """True when nothing remains."""
        return self.remaining_seconds == 0.0
