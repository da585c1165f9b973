"""A mapping over a long sequence that remembers its last result, for sequences that change little from call to call."""

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
A = TypeVar("A")
B = TypeVar("B")

_STRIDES = (1024, 64, 1)  # items compared at once, at the speed of C


class Remembered(Generic[A, B]):
    """`make(item)` for each item, called only where the sequence differs from the one before.

    Items must not be changed after they were given. Equal items must give equal results.
    """

    def __init__(self, make: Callable[[A], B]) -> None:
        self._make = make
        self._items: tuple[A, ...] = ()
        self._results: tuple[B, ...] = ()

    def __call__(self, items: Sequence[A]) -> tuple[B, ...]:
        """The results in order."""
        now = tuple(items)
        start, end = unequal_middle(self._items, now)
        stop = len(self._results) - end
        fresh = tuple(self._make(item) for item in now[start : len(now) - end])
        self._items, self._results = now, self._results[:start] + fresh + self._results[stop:]
        return self._results


class RememberedByKey(Generic[K, A, B]):
    """`make(key)(item)` for each item, with a memory a key; `sweep` drops the keys not asked for since the last one."""

    def __init__(self, make: Callable[[K], Callable[[A], B]]) -> None:
        self._make = make
        self._kept: dict[K, Remembered[A, B]] = {}
        self._used: set[K] = set()

    def __call__(self, key: K, items: Sequence[A]) -> tuple[B, ...]:
        """As `Remembered`, with the memory of that key."""
        self._used.add(key)
        if key not in self._kept:
            self._kept[key] = Remembered(self._make(key))
        return self._kept[key](items)

    def keep(self, key: K) -> None:
        """In use still, though nothing is asked."""
        self._used.add(key)

    def sweep(self) -> None:
        """Forget the keys that are not in use any more."""
        self._kept = {key: self._kept[key] for key in self._used if key in self._kept}
        self._used = set()


class ByIdentity(Generic[A, B]):
    """What was made of objects the last time, found by these very objects. They must not be changed meanwhile.

    Threads may share it.
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[A, B]] = {}

    def get(self, item: A) -> B | None:
        """None for another object, however equal."""
        found = self._kept.get(id(item))
        return found[1] if found is not None else None

    def replace(self, items: Sequence[A], results: Sequence[B]) -> None:
        """These were made now; all others are forgotten. A number stays an object's as long as it is kept here."""
        kept = zip(items, results, strict=True)
        self._kept = {id(item): (item, result) for item, result in kept}


def unequal_middle(one: Sequence[A], other: Sequence[A]) -> tuple[int, int]:
    """How many items both begin and end with, without counting any twice."""
    shorter = min(len(one), len(other))
    start = _equal_start(one, other, shorter)
    return start, _equal_end(one, other, shorter - start)


def _equal_start(one: Sequence[A], other: Sequence[A], most: int) -> int:
    count = 0
    for stride in _STRIDES:
        while count + stride <= most and (
            one[count : count + stride] == other[count : count + stride]
        ):
            count += stride
    return count


def _equal_end(one: Sequence[A], other: Sequence[A], most: int) -> int:
    count, first, second = 0, len(one), len(other)
    for stride in _STRIDES:
        while count + stride <= most and (
            one[first - count - stride : first - count]
            == other[second - count - stride : second - count]
        ):
            count += stride
    return count
