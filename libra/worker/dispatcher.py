"""Which lane a job takes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from libra.jobs.base import TakenJob
from libra.messages.decoder import Decoder
from libra.messages.requests import Action
from libra.worker.answer import Controller, ReadJob, carry_out, read_job, refuse
from libra.worker.lanes import Lane, LaneSize, Task
from libra.worker.together import carry_out_together, is_joinable

FULL_LANE_SECONDS = 1.0
ARCHIVES_WAITING = 16


@dataclass(frozen=True, slots=True)
class Held:
    """A job that waits, and how to let go of it."""

    read: ReadJob
    release: Callable[[], None]


class Dispatcher:
    """Three lanes, so that nothing long holds up something short.

    `changes` runs one task at a time: jobs that change the proxy, in arrival order, and chores that touch it.
    `quick` runs DISCOVER, STATS and whatever fails at once; `archives` runs ARCHIVE.
    """

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._decoder = Decoder()
        self.changes = Lane("changes", LaneSize(threads=1))
        self._quick = Lane("quick", LaneSize(threads=2))
        self._archives = Lane("archives", LaneSize(threads=2, most_tasks=ARCHIVES_WAITING))
        self._lanes = (self.changes, self._quick, self._archives)

    def accept(self, job: TakenJob, release: Callable[[], None]) -> None:
        """Put a job into its lane; waits while that is full. After `finish` the job stays unanswered."""
        read = read_job(job, self._decoder.decode)
        held = Held(read, release)
        weight = len(job.payload)
        if is_joinable(read):
            task = Task(lambda: self._run_updates(held), weight, joins=held)
        else:
            task = Task(lambda: self._run(held), weight)
        if read.action is Action.ARCHIVE:
            self._put_archive(task, read, release)
        else:
            lane = self.changes if read.action and read.action.changes_proxy else self._quick
            while not lane.finishing and not lane.put(task, FULL_LANE_SECONDS):
                pass

    def finish(self) -> None:
        """Take nothing more; what waits is still run."""
        for lane in self._lanes:
            lane.finish()

    def abandon(self) -> int:
        """Drop what waits; the number of jobs that stay unanswered, those that still run included."""
        return sum(lane.abandon() + lane.running for lane in self._lanes)

    def unfinished(self) -> int:
        """How many tasks run or wait."""
        return sum(lane.waiting + lane.running for lane in self._lanes)

    def hung(self, limit: timedelta) -> str:
        """The name of a lane whose task has run for longer than that; an ARCHIVE may run for hours."""
        for lane in (self.changes, self._quick):
            if lane.longest_run() > limit:
                return lane.name
        return ""

    def _put_archive(self, task: Task, read: ReadJob, release: Callable[[], None]) -> None:
        """An ARCHIVE too many is refused: waiting for room could take hours, with an UPDATE behind it."""
        if self._archives.put(task) or self._archives.finishing:
            return
        refuse(
            read, f"cannot archive: {self._archives.waiting} other ARCHIVE jobs are waiting already"
        )
        release()

    def _run_updates(self, first: Held) -> None:
        """Those that came while another change was under way are one change."""
        held = [first, *self.changes.take_joining()]
        try:
            carry_out_together([item.read for item in held], self._controller)
        finally:
            for item in held:
                item.release()

    def _run(self, held: Held) -> None:
        try:
            carry_out(held.read, self._controller)
        finally:
            held.release()
