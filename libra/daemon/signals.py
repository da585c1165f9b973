"""Signals as events in a queue: a handler only puts, the main loop decides."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from types import FrameType

HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class SignalQueue:
    """What came in, in order, but SIGHUP after the others.

    A `SimpleQueue`, for its `put` may interrupt its own `get` in the same thread. An `Event` set by a handler can
    deadlock: the main thread may hold the event's lock at that moment.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[signal.Signals] = SimpleQueue()

    @contextmanager
    def installed(self) -> Iterator["SignalQueue"]:
        """Catch SIGTERM, SIGINT and SIGHUP inside the block, also where a parent blocked them; main thread only."""
        before = {number: signal.signal(number, self._handle) for number in HANDLED}
        blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        try:
            yield self
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            for number, handler in before.items():
                signal.signal(number, handler)

    def put(self, number: signal.Signals) -> None:
        """As if the signal had come."""
        self._queue.put(number)

    def get(self, timeout_seconds: float) -> signal.Signals | None:
        """The next signal, or None after the time.

        However many SIGHUPs wait, they are one, for the settings are read after the last of them came. Whoever wants
        an end has it before them: a storm of them would hold up the stop for minutes.
        """
        try:
            first = self._queue.get(timeout=timeout_seconds)
        except Empty:
            return None
        return self._pass_by_reloads() if first is signal.SIGHUP else first

    def _pass_by_reloads(self) -> signal.Signals:
        ends = [number for number in self._take_waiting() if number is not signal.SIGHUP]
        for number in ends[1:]:
            self._queue.put(number)
        return ends[0] if ends else signal.SIGHUP

    def _take_waiting(self) -> Iterator[signal.Signals]:
        with suppress(Empty):
            while True:
                yield self._queue.get_nowait()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self._queue.put(signal.Signals(number))
