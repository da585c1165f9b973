"""A thread that sends while its owner prepares what comes next."""

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from libra.errors import ObjectStoreError
from libra.objectstores.retries import Deadline

Task = Callable[[], None]
STOP_SECONDS = 5.0  # how long the thread may take to notice that its connection was cut


class Sender:
    """Runs tasks in order. Left by its `with` block it is stopped: by `abort` where a task still runs.

    After a task has failed the later ones are still run, for each gives its memory back: they must look at
    `failed` first. A daemon thread, so that a network that hangs never keeps the process from ending.
    """

    def __init__(self, abort: Callable[[], None]) -> None:
        self._abort = abort
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="swift-sender", daemon=True)
        self._thread.start()

    @property
    def failed(self) -> bool:
        """True where a task has failed."""
        return self._error is not None

    def submit(self, task: Task) -> None:
        """Run it after those before it; raises what an earlier one has raised."""
        self._tasks.put(task)
        self._raise_error()

    def finish(self, deadline: Deadline) -> None:
        """Wait for all tasks; raises the first one's error, or `ObjectStoreError` when the deadline passes."""
        self._tasks.put(None)
        self._thread.join(deadline.remaining_seconds)
        self._raise_error()
        if self._thread.is_alive():
            raise ObjectStoreError(f"cannot store: {deadline.words}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tasks.put(None)
        if self._thread.is_alive():
            self._abort()
            self._thread.join(STOP_SECONDS)

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task()
            except Exception as error:  # noqa: BLE001 - given to whoever waits
                self._error = self._error or error
