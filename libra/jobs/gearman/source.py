"""Takes jobs from every job server."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from libra.jobs.base import TakenJob
from libra.jobs.gearman.deadline import Deadline
from libra.jobs.gearman.packets import ensure_function, quiet_gear
from libra.jobs.gearman.registration import Registration
from libra.jobs.gearman.session import Desk
from libra.jobs.gearman.shelf import Shelf

if TYPE_CHECKING:
    from libra.config.settings import JobServerSettings

CLOSE_SECONDS = 2.0
TAKEN_AHEAD = 32
MOST_BYTES_AHEAD = 16 * 1024 * 1024


class GearmanJobSource:
    """A `JobSource` on Gearman servers: one thread a server, one queue for all of them.

    `pulse`: a server that has been silent for so many seconds is asked something, so that `heard` tells of outages.
    `ahead`: how many jobs (and not much more than 16 MiB) are fetched at most before `take` asks for them; they count
    as running at the server.
    Lost servers are tried again every two seconds or sooner, each for itself.
    """

    def __init__(
        self,
        servers: "Sequence[JobServerSettings]",
        function: str,
        *,
        ahead: int = TAKEN_AHEAD,
        pulse: float | None = None,
    ) -> None:
        quiet_gear()
        ensure_function(function)
        self._desk = Desk(function.encode(), Shelf(ahead, MOST_BYTES_AHEAD), pulse)
        self._registrations = [Registration(server, self._desk) for server in servers]

    def take(self, timeout: float) -> TakenJob | None:
        """The next job, or None after `timeout` seconds, or once drained or closed."""
        return self._desk.shelf.take(timeout)

    def connected(self) -> int:
        """How many servers have answered since this function was registered there."""
        return sum(registration.registered for registration in self._registrations)

    def heard(self) -> float:
        """When a server last said something, by `time.monotonic`; 0 where none ever did."""
        return max((registration.heard for registration in self._registrations), default=0.0)

    def drain(self) -> None:
        """Fetch and give out no more. Jobs that were fetched but not taken go back to the server with `close`."""
        self._desk.draining.set()
        self._desk.shelf.close()
        self._leave()

    def close(self) -> None:
        """Let the last answers arrive, then close every connection: unanswered jobs are given out again."""
        self._desk.stopping.set()
        self._desk.shelf.close()
        self._leave()
        deadline = Deadline(CLOSE_SECONDS)
        for registration in self._registrations:
            registration.join(deadline)

    def _leave(self) -> None:
        for registration in self._registrations:
            registration.leave()
