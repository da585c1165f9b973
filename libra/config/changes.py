"""What settings that were read again change in a running daemon."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from libra.config.values import replaced

if TYPE_CHECKING:
    from libra.config.settings import Settings

S = TypeVar("S")

# What the running worker has built on: its identity, its lock, and where it finds the running proxy again.
FIXED = {
    "worker": ("name", "driver", "state_dir", "pid_file"),
    "vip": ("adapter", "interface", "networks", "vrrp"),
    "serving": ("socket",),
    "haproxy": ("supervisor", "config_file", "admin_socket", "master_socket"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """`settings` are the new ones, with the old value wherever a key `needs_restart`."""

    settings: "Settings"
    sections: frozenset[str]
    needs_restart: tuple[str, ...]


def diff_settings(old: "Settings", new: "Settings") -> Changes:
    """The sections that are different, and the keys that wait for a restart."""
    usable = replaced(
        new,
        **{
            section: _keep(getattr(old, section), getattr(new, section), keys)
            for section, keys in FIXED.items()
        },
    )
    return Changes(
        settings=usable,
        sections=frozenset(name for name in vars(usable) if _differs(old, usable, name)),
        needs_restart=tuple(
            f"{section}.{key}"
            for section, keys in FIXED.items()
            for key in keys
            if _differs(getattr(old, section), getattr(new, section), key)
        ),
    )


def _keep(old: S, new: S, keys: tuple[str, ...]) -> S:
    return replaced(new, **{key: getattr(old, key) for key in keys})


def _differs(one: object, other: object, name: str) -> bool:
    return bool(getattr(one, name) != getattr(other, name))
