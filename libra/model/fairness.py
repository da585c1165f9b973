"""Which share of the devices each project has, and which it should have. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from libra.model.overview import Share

Type = tuple[str, str]
"""A project, and the id of the device pool where it has, or wants, a part."""
NOWHERE = ""
"""In place of a pool: of a project that wants a device, and has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """By type, as parts of one: what is, what should be, and by how much there is too much (negative: too little)."""

    current: Mapping[Type, float]
    desired: Mapping[Type, float]
    differences: Mapping[Type, float]


def distribute(
    shares: Iterable[Share], waiting: Collection[str], limited: Collection[str]
) -> Distribution:
    """Every project that has something, or is `waiting`, should have an equal part, in its pools by how much it has.

    A device belongs to all whose parts it has, equally. Projects that are `limited` have as many devices as they may:
    their types have no difference, and what they should have besides is divided among the others.
    """
    shares = list(shares)
    current, desired = _count_current(shares), _count_desired(shares, waiting)
    differences = {
        kind: current.get(kind, 0.0) - desired.get(kind, 0.0) for kind in {**current, **desired}
    }
    others = [kind for kind in differences if kind[0] not in limited]
    left = sum(value for (name, _), value in differences.items() if name in limited and value < 0)
    differences = {kind: differences[kind] + left / len(others) for kind in others}
    return Distribution(current=current, desired=desired, differences=differences)


def find_limited(shares: Iterable[Share], limits: Mapping[str, int]) -> frozenset[str]:
    """Projects that have as many devices as they may; a negative limit is none."""
    counts = Counter(name for name, _ in {(share.project_id, share.device_id) for share in shares})
    return frozenset(name for name, most in limits.items() if 0 <= most <= counts[name])


def _count_current(shares: Collection[Share]) -> dict[Type, float]:
    projects = Counter(share.device_id for share in _merged(shares))
    found: dict[Type, float] = {}
    for share in _merged(shares):
        kind = (share.project_id, share.pool_id)
        part = 1 / projects[share.device_id] / len(projects)
        found[kind] = found.get(kind, 0.0) + part
    return found


def _merged(shares: Iterable[Share]) -> Collection[Share]:
    """One a project and device: it may have load balancers and nodes there."""
    return {(share.device_id, share.project_id): share for share in shares}.values()


def _count_desired(shares: Collection[Share], waiting: Collection[str]) -> dict[Type, float]:
    parts: dict[str, Counter[str]] = {name: Counter() for name in waiting}
    for share in shares:
        parts.setdefault(share.project_id, Counter())[share.pool_id] += share.parts
    found = {}
    for name, pools in parts.items():
        total = sum(pools.values())
        for pool, count in (pools if total else Counter({NOWHERE: 1})).items():
            found[name, pool] = count / (total or 1) / len(parts)
    return found
