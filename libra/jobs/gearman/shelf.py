"""Jobs taken ahead from all servers, in arrival order."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Shelf(Generic[Item]):
    """A queue with so many places, for about so much weight.

    A place is reserved before something is fetched to put there. What that weighs is known only afterwards, so the
    weight can be exceeded by one item for each server.
    """

    def __init__(self, places: int, most_weight: int) -> None:
        self._changed = threading.Condition()
        self._items: deque[tuple[Item, int]] = deque()
        self._free = places
        self._free_weight = most_weight
        self._waiting: list[Callable[[], None]] = []
        self._open = True

    def reserve(self, when_free: Callable[[], None]) -> bool:
        """Whether there was a place; if not, `when_free` is called once there may be one."""
        with self._changed:
            if self._free > 0 and self._free_weight > 0:
                self._free -= 1
                return True
            if when_free not in self._waiting:
                self._waiting.append(when_free)
            return False

    def release(self, places: int = 1, weight: int = 0) -> None:
        """Give back reserved places that were not needed."""
        with self._changed:
            self._free += places
            self._free_weight += weight
            waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()

    def put(self, item: Item, weight: int = 0) -> None:
        """Into a reserved place."""
        with self._changed:
            self._free_weight -= weight
            self._items.append((item, weight))
            self._changed.notify()

    def take(self, timeout: float) -> Item | None:
        """The oldest, or None after `timeout` seconds or once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or not self._open, timeout)
            if not self._items or not self._open:
                return None
            item, weight = self._items.popleft()
        self.release(weight=weight)
        return item

    def remove(self, unwanted: Callable[[Item], bool]) -> list[Item]:
        """Take some off and free their places."""
        with self._changed:
            removed = [entry for entry in self._items if unwanted(entry[0])]
            self._items = deque(entry for entry in self._items if entry not in removed)
        self.release(len(removed), sum(weight for _item, weight in removed))
        return [item for item, _weight in removed]

    def close(self) -> None:
        """From now on `take` returns None at once; what is there stays."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
