"""Signals of a process that leads a rollout."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from libra.rollout.runner import Runner

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interrupting(runner: Runner) -> Iterator[None]:
    """The first one finishes the nodes in work, the second one ends it; see `Runner.interrupt`.

    Only the main thread may take signals: in another one nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        runner.interrupt()

    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
