"""Finds drivers and object stores by entry point, so that other packages can bring their own."""

from importlib.metadata import entry_points
from typing import Any

from libra.errors import Invalid


def names(group: str) -> list[str]:
    """What is installed under a group."""
    return sorted({point.name for point in entry_points(group=group)})


def load(group: str, name: str) -> Any:
    """The object an entry point names; only that one is imported. Raises `Invalid`."""
    for point in entry_points(group=group, name=name):
        return point.load()
    known = ", ".join(names(group)) or "none"
    raise Invalid(f"cannot load '{name}' from {group}: installed are {known}")
