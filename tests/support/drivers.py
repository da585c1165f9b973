"""Drivers and stores that misbehave on request, over the noop driver and real files."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from libra.drivers.base import Preview
from libra.drivers.noop import NoopDriver
from libra.errors import StateError
from libra.model.loadbalancer import Desired
from libra.worker.state import FileState, MemoryState


class TroubledDriver(NoopDriver):
    """Raises `trouble` before it applies or previews anything, and `late_trouble` after it applied.

    Once each time they are set.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trouble: Exception | None = None
        self.late_trouble: Exception | None = None
        self.forgotten = 0

    def apply(self, desired: Desired, meanwhile: Callable[[], None] | None = None) -> None:
        """As the noop driver, with the trouble asked for."""
        self._make_trouble()
        super().apply(desired, meanwhile)
        trouble, self.late_trouble = self.late_trouble, None
        if trouble is not None:
            raise trouble

    def preview(self, desired: Desired) -> Preview:
        """As the noop driver, with the trouble asked for."""
        self._make_trouble()
        return super().preview(desired)

    def _make_trouble(self) -> None:
        trouble, self.trouble = self.trouble, None
        if trouble is not None:
            raise trouble

    def forget(self) -> None:
        """Counted."""
        super().forget()
        self.forgotten += 1


class SlowDriver(NoopDriver):
    """`apply` waits for `go`; notices where two threads are in it at once."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.entered = threading.Event()
        self.overlapped = False
        self._inside = threading.Lock()

    def apply(self, desired: Desired, meanwhile: Callable[[], None] | None = None) -> None:
        """As the noop driver, when it may."""
        if not self._inside.acquire(blocking=False):
            self.overlapped = True
            return
        try:
            self.entered.set()
            assert self.go.wait(30)
            super().apply(desired, meanwhile)
        finally:
            self._inside.release()


class TroubledState(MemoryState):
    """Refuses to save while `full`, and counts how often it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False
        self.loads = 0

    def load(self) -> Desired:
        """Counted."""
        self.loads += 1
        return super().load()

    def save(self, desired: Desired) -> None:
        """As a full disk does."""
        if self.full:
            raise StateError("cannot save the state to /x: No space left on device")
        super().save(desired)


@contextmanager
def crash_before_save(state: FileState) -> Iterator[None]:
    """Saving never happens, as where the process is killed between applying and saving."""

    class Killed(BaseException):
        pass

    def die(_desired: Desired) -> None:
        raise Killed

    state.save = die  # type: ignore[method-assign]
    try:
        yield
    except Killed:
        pass
    finally:
        del state.save  # type: ignore[method-assign]
