"""Wakes a thread that waits in `poll`."""

import contextlib
import os
import threading


class Bell:
    """Something to poll beside a socket; any thread may ring it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """Readable once it has rung."""
        return self._number

    def ring(self) -> None:
        """Wake the thread; after `close` nothing happens."""
        with self._lock:  # the number may be somebody else's file once it is closed
            if self._number >= 0:
                os.eventfd_write(self._number, 1)

    def quiet(self) -> None:
        """Forget that it has rung."""
        with contextlib.suppress(BlockingIOError):  # it has not rung
            os.eventfd_read(self._number)

    def close(self) -> None:
        """Let go of the file; idempotent."""
        with self._lock:
            if self._number >= 0:
                os.close(self._number)
            self._number = -1
