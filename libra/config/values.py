"""Settings once they are checked: bare values, for a process that need not know how they were.

What checks them takes 14 MB. Nothing here imports it.
"""

import copy
from enum import Enum
from types import SimpleNamespace
from typing import NoReturn, TypeVar

S = TypeVar("S")


class Supervisor(Enum):
    """Who starts HAProxy."""

    OWN = "own"
    SYSTEMD = "systemd"


class DrainPolicy(Enum):
    """What happens to connections of a removed node when its drain time is over."""

    CLOSE = "close"
    KEEP = "keep"


class LogLevel(Enum):
    """Least severe event that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(Enum):
    """How events are written."""

    TEXT = "text"
    JSON = "json"


class Values(SimpleNamespace):
    """A section: the attributes of its model, frozen and comparable as that is."""

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"cannot set {name}: settings are frozen")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"cannot remove {name}: settings are frozen")


def replaced(section: S, **changes: object) -> S:
    """A section, be it values or a model, with some keys changed. The new values must be checked ones."""
    changed = copy.copy(section)
    vars(changed).update(changes)
    return changed
