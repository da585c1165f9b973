"""Lanes: each runs its tasks in arrival order beside the other lanes, on threads of its own."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """Something to run; `weight` is how many bytes it holds while it waits.

    `joins` is what one before it needs to do it along, see `Lane.take_joining`.
    """

    run: Callable[[], None]
    weight: int = 0
    joins: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSize:
    """How many tasks run at once, and how much may wait."""

    threads: int
    most_tasks: int = 1000
    most_bytes: int = 4 * 1024 * 1024


class Lane:
    """A bounded queue and its threads, which start at once and end after `finish` or with the process."""

    def __init__(self, name: str, size: LaneSize) -> None:
        self.name = name
        self._size = size
        self._changed = threading.Condition()
        self._waiting: deque[Task] = deque()
        self._bytes = 0
        self._since: dict[int, float] = {}  # when each busy thread began its task
        self._joined = 0
        self._finishing = False
        for number in range(size.threads):
            # Daemon threads: a task that hangs must not keep the process from ending.
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    def put(self, task: Task, timeout_seconds: float = 0.0) -> bool:
        """False where the lane is still full after that time, or finishing. A heavy task alone always fits."""
        with self._changed:
            fits = self._changed.wait_for(
                lambda: self._finishing or self._fits(task), timeout_seconds
            )
            if not fits or self._finishing:
                return False
            self._waiting.append(task)
            self._bytes += task.weight
            self._changed.notify_all()
            return True

    def take_joining(self) -> list[Any]:
        """For the task that runs, on a lane of one thread: what of the next ones it may do along, in their order."""
        taken: list[Any] = []
        with self._changed:
            while self._waiting and self._waiting[0].joins is not None:
                task = self._waiting.popleft()
                self._bytes -= task.weight
                taken.append(task.joins)
            self._joined += len(taken)
            self._changed.notify_all()
        return taken

    def finish(self) -> None:
        """Take nothing more; what waits is still run."""
        with self._changed:
            self._finishing = True
            self._changed.notify_all()

    def abandon(self) -> int:
        """Drop what waits, and say how much that was."""
        with self._changed:
            dropped = len(self._waiting)
            self._waiting.clear()
            self._bytes = 0
            self._changed.notify_all()
            return dropped

    @property
    def waiting(self) -> int:
        """How many tasks wait."""
        with self._changed:
            return len(self._waiting)

    @property
    def running(self) -> int:
        """How many tasks run, those included that are done along."""
        with self._changed:
            return len(self._since) + self._joined

    @property
    def finishing(self) -> bool:
        """True after `finish`."""
        return self._finishing

    def longest_run(self) -> timedelta:
        """How long the oldest running task has been at it; zero where none runs."""
        with self._changed:
            oldest = min(self._since.values(), default=None)
            return timedelta(seconds=0 if oldest is None else time.monotonic() - oldest)

    def _fits(self, task: Task) -> bool:
        if not self._waiting:
            return True
        return (
            len(self._waiting) < self._size.most_tasks
            and self._bytes + task.weight <= self._size.most_bytes
        )

    def _work(self) -> None:
        while self._run_next():
            pass

    def _run_next(self) -> bool:
        """Its own frame for each task: a thread that waits must not keep the last message alive."""
        task = self._next()
        if task is None:
            return False
        try:
            task.run()
        except Exception:
            log.exception("a task failed", action="run", lane=self.name)
        finally:
            self._done()
        return True

    def _next(self) -> Task | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._finishing)
            if not self._waiting:
                return None
            task = self._waiting.popleft()
            self._bytes -= task.weight
            self._since[threading.get_ident()] = time.monotonic()
            self._changed.notify_all()
            return task

    def _done(self) -> None:
        with self._changed:
            del self._since[threading.get_ident()]
            self._joined = 0
            self._changed.notify_all()
