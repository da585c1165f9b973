"""The two sides of a job server. A function is a worker's name; a payload is bytes."""

from enum import Enum
from typing import Protocol


class Priority(Enum):
    """The three queues of a Gearman job server."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class TakenJob(Protocol):
    """A job that this worker holds. The first `complete` or `fail` ends it, from any thread; neither raises.

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
    """Takes the jobs of one function from every configured server. Opened by its constructor.

    Any number of jobs may be held at once, also from one server; some more are fetched ahead.
    """

    def take(self, timeout: float) -> TakenJob | None:
        """The next job, or None after `timeout` seconds, or at once when drained or closed."""

    def connected(self) -> int:
        """How many servers it is registered at right now."""

    def heard(self) -> float:
        """When a server last said something, by `time.monotonic`; long ago where none ever did."""

    def drain(self) -> None:
        """Take no more, and make no new connections; held jobs can still be answered. Returns at once.

        Waiting jobs stay at the servers. Those fetched ahead but not taken go back there, with `close` at the latest.
        """

    def close(self) -> None:
        """Let go of every connection, within seconds; held jobs are given out again. Idempotent."""


class JobClient(Protocol):
    """Submits jobs and waits for their replies. Safe for several threads."""

    def submit(
        self, function: str, payload: bytes, *, timeout: float, priority: Priority = Priority.NORMAL
    ) -> bytes:
        """The reply to one job.

        Raises `JobServerUnavailable` (no server took it, or it was lost with its server), `JobDeadlinePassed` after
        `timeout` seconds whatever hangs, or `JobFailed`. A job that is given up does not run later; one that runs
        already is left alone. Where a server is lost at the wrong moment a job can run twice.
        """

    def leave(self, function: str, payload: bytes, *, unique: str, timeout: float) -> None:
        """Hand over a job that nobody waits for. While one with this `unique` waits at a server, another is none.

        Raises `JobServerUnavailable` where no server took it within `timeout` seconds.
        """

    def close(self) -> None:
        """Let go of every connection; idempotent."""
