"""The two sides of a job server. A function is a worker's name; a payload is bytes."""

from enum import Enum
from typing import Protocol


class Priority(Enum):
    """The three queues of a Gearman job server."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class TakenJob(Protocol):
    """A job that this worker holds. Exactly one of `complete` and `fail` ends it; neither raises.

    A job whose connection is lost is given out again by the server: it may run twice.
    """

    @property
    def handle(self) -> str:
        """The server's name for the job, for logs."""

    @property
    def payload(self) -> bytes:
        """What was submitted."""

    def complete(self, reply: bytes) -> None:
        """End the job with a reply."""

    def fail(self) -> None:
        """End the job without one."""


class JobSource(Protocol):
    """Takes the jobs of one function from every configured server. Opened by its constructor."""

    def take(self, timeout: float) -> TakenJob | None:
        """The next job, or None after `timeout` seconds or once closed."""

    def connected(self) -> int:
        """How many servers it is registered at right now."""

    def drain(self) -> None:
        """Take no more: unregister, so that the servers keep waiting jobs; held jobs can still be answered."""

    def close(self) -> None:
        """Let go of every connection; idempotent."""


class JobClient(Protocol):
    """Submits jobs and waits for their replies. Safe for several threads."""

    def submit(
        self, function: str, payload: bytes, *, timeout: float, priority: Priority = Priority.NORMAL
    ) -> bytes:
        """The reply to one job.

        Raises `JobServerUnavailable`, `JobDeadlinePassed` after `timeout` seconds whatever hangs, or `JobFailed`.
        """

    def close(self) -> None:
        """Let go of every connection; idempotent."""
