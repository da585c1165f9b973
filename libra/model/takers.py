"""Which pools would be left without a member that takes traffic, where nodes are taken offline. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from libra.model.draining import Drained, is_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A member of a pool. `used` is False where its owner has switched it off or gave it no weight."""

    id: str
    address: str
    port: int
    used: bool = True
    down: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A pool with its members. `name` is what people are told, `key` the device's word for it."""

    key: str
    name: str
    targets: tuple[Target, ...]


def plan_emptied(pools: Iterable[Shared], before: Drained, after: Drained) -> Iterator[Shared]:
    """Those that had takers, and have none.

    One with a single member has no other to go on with, and whoever takes its node out knows: it is never among them.
    """
    for pool in pools:
        used = [target for target in pool.targets if target.used]
        if len(used) > 1 and _has_takers(used, before) and not _has_takers(used, after):
            yield pool


def _has_takers(used: Iterable[Target], drained: Drained) -> bool:
    return any(
        not target.down and not is_at(target.address, target.port, drained) for target in used
    )
