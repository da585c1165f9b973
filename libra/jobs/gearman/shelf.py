"""Jobs taken ahead from all servers, in arrival order."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Shelf(Generic[Item]):
    """A queue with a bounded number of places. A place is reserved before something is fetched to put there."""

    def __init__(self, places: int) -> None:
        self._changed = threading.Condition()
        self._items: deque[Item] = deque()
        self._free = places
        self._waiting: list[Callable[[], None]] = []
        self._open = True

    def reserve(self, when_free: Callable[[], None]) -> bool:
        """Whether there was a place; if not, `when_free` is called once there is one."""
        with self._changed:
            if self._free > 0:
                self._free -= 1
                return True
            if when_free not in self._waiting:
                self._waiting.append(when_free)
            return False

    def release(self, places: int = 1) -> None:
        """Give back reserved places that were not needed."""
        with self._changed:
            self._free += places
            waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()

    def put(self, item: Item) -> None:
        """Into a reserved place."""
        with self._changed:
            self._items.append(item)
            self._changed.notify()

    def take(self, timeout: float) -> Item | None:
        """The oldest, or None after `timeout` seconds or once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or not self._open, timeout)
            if not self._items or not self._open:
                return None
            item = self._items.popleft()
        self.release()
        return item

    def remove(self, unwanted: Callable[[Item], bool]) -> list[Item]:
        """Take some off and free their places."""
        with self._changed:
            removed = [item for item in self._items if unwanted(item)]
            self._items = deque(item for item in self._items if item not in removed)
        self.release(len(removed))
        return removed

    def close(self) -> None:
        """From now on `take` returns None at once; what is there stays."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
