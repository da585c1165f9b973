"""Finds drivers and object stores by entry point, so that other packages can bring their own."""

import threading
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from libra.errors import Invalid

T = TypeVar("T")


def names(group: str) -> list[str]:
    """What is installed under a group."""
    return sorted({point.name for point in entry_points(group=group)})


def load(group: str, name: str) -> Any:
    """The object an entry point names; only that one is imported. Raises `Invalid`."""
    try:
        return _find(group, name).load()
    except NotInstalled:
        known = ", ".join(names(group)) or "none"
        raise Invalid(f"cannot load '{name}' from {group}: installed are {known}") from None


class NotInstalled(Exception):
    """Nothing under a group has that name."""


@lru_cache(100)
def _find(group: str, name: str) -> EntryPoint:
    """To look takes 10 ms, for every package that is installed is asked, and the manager looks at each turn."""
    for point in entry_points(group=group, name=name):
        return point
    raise NotInstalled  # which is not remembered


class Plugins(Mapping[str, T]):
    """Everything installed under a group, by name; each is loaded and built when it is first asked for.

    `build` makes the object from what the entry point names. Safe for several threads.
    """

    def __init__(self, group: str, build: Callable[[Any], T]) -> None:
        self._group = group
        self._build = build
        self._built: dict[str, T] = {}
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> T:
        with self._lock:
            if name not in self._built:
                if name not in names(self._group):
                    raise KeyError(name)
                self._built[name] = self._build(load(self._group, name))
            return self._built[name]

    def rebuild(self) -> None:
        """Build each anew when it is next asked for; who has one already keeps it."""
        with self._lock:
            self._built.clear()

    def __iter__(self) -> Iterator[str]:
        return iter(names(self._group))

    def __len__(self) -> int:
        return len(names(self._group))
