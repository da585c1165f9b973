"""Threads that send while their owner prepares what comes next."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Self

from libra.errors import ObjectStoreError
from libra.objectstores.retries import Deadline
from libra.objectstores.swift_session import SwiftSession

Task = Callable[[SwiftSession], None]
THREADS = 2  # one waits for Swift's disk while the other's bytes are on the way
STOP_SECONDS = 5.0  # how long threads may take to notice that their connections were cut


class Sender:
    """Runs tasks beside each other, each with the session of its thread. Left by its `with` block it is stopped.

    After a task has failed the later ones are still run, for each gives its memory back: they must look at
    `failed` first. Daemon threads, so that a network that hangs never keeps the process from ending.
    """

    def __init__(self, open_session: Callable[[], SwiftSession], threads: int = THREADS) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Task] = deque()
        self._running = 0
        self._stopping = False
        self._error: Exception | None = None
        self._sessions = [open_session() for _ in range(threads)]
        self._threads = [
            threading.Thread(target=self._work, args=(one,), name="swift-sender", daemon=True)
            for one in self._sessions
        ]
        for thread in self._threads:
            thread.start()

    @property
    def failed(self) -> bool:
        """True where a task has failed."""
        return self._error is not None

    def submit(self, task: Task) -> None:
        """Run it soon; raises what an earlier one has raised."""
        with self._changed:
            self._waiting.append(task)
            self._changed.notify_all()
        self._raise_error()

    def drain(self, deadline: Deadline) -> None:
        """Wait for all tasks; raises the first error, or `ObjectStoreError` when the deadline passes."""
        with self._changed:
            done = self._changed.wait_for(self._is_idle, deadline.remaining_seconds)
        self._raise_error()
        if not done:
            raise ObjectStoreError(f"cannot store: {deadline.words}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopping = True
            busy = not self._is_idle()
            self._changed.notify_all()
        for session in self._sessions if busy else ():
            session.abort()
        for thread in self._threads:
            thread.join(STOP_SECONDS)
        for session in self._sessions:
            session.close()

    def _is_idle(self) -> bool:
        return not self._waiting and not self._running

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self, session: SwiftSession) -> None:
        while (task := self._next()) is not None:
            try:
                task(session)
            except Exception as error:  # noqa: BLE001 - given to whoever waits
                self._error = self._error or error
            del task  # and what it holds, before the next one is waited for
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _next(self) -> Task | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            if not self._waiting:
                return None
            self._running += 1
            return self._waiting.popleft()
