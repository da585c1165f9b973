"""How many resources a project may have."""

from dataclasses import fields
from operator import attrgetter
from typing import Any

from libra.errors import Invalid, NotFound, QuotaExceeded
from libra.model.quota import UNLIMITED, Quota
from libra.storage.base import UnitOfWork
from libra.storage.kinds import Rows
from libra.storage.query import EVERYTHING, Query
from libra.usecases.services import Services

KINDS = tuple(field.name for field in fields(Quota) if field.name != "project_id")
_WORDS = {
    "load_balancer": "Load Balancer",
    "listener": "Listener",
    "pool": "Pool",
    "member": "Member",
    "health_monitor": "HealthMonitor",
    "l7policy": "L7Policy",
    "l7rule": "L7Rule",
}


def ensure_room(unit: UnitOfWork, services: Services, project: str, **wanted: int) -> None:
    """Raises `QuotaExceeded`; until the transaction's end nobody else counts the same project."""
    unit.hold(f"quota {project}")
    quota = effective(services, unit.quotas.get(project), project)
    for kind, count in wanted.items():
        limit = getattr(quota, kind)
        if count and limit != UNLIMITED and _count(unit, kind, project) + count > limit:
            raise QuotaExceeded(
                f"Quota has been met for resources: {_WORDS[kind]}; this project may have {limit}"
            )


def _count(unit: UnitOfWork, kind: str, project: str) -> int:
    rows: dict[str, Rows[Any]] = {
        "load_balancer": unit.loadbalancers,
        "listener": unit.listeners,
        "pool": unit.pools,
        "member": unit.members,
        "health_monitor": unit.monitors,
        "l7policy": unit.l7policies,
        "l7rule": unit.l7rules,
    }
    return rows[kind].count({"project_id": project})


def effective(services: Services, own: Quota | None, project: str) -> Quota:
    """The project's own numbers, and the defaults for the others."""
    defaults = services.limits.quota
    chosen = {
        kind: next(
            (n for n in (getattr(own, kind, None), getattr(defaults, kind)) if n is not None),
            UNLIMITED,
        )
        for kind in KINDS
    }
    return Quota(project_id=project, **chosen)


def show_quota(services: Services, project: str) -> Quota:
    """With the defaults filled in."""
    with services.storage.reading() as unit:
        return effective(services, unit.quotas.get(project), project)


def list_quotas(services: Services, query: Query = EVERYTHING) -> list[Quota]:
    """Of the projects that have some of their own; raises `Invalid` for a marker that is none of them.

    They are looked for and sorted by what is shown, of which the database has only a part.
    """
    with services.storage.reading() as unit:
        stored = unit.quotas.find(EVERYTHING)
    found = [effective(services, quota, quota.project_id) for quota in stored]
    found = [item for item in found if _fits(item, query)]
    for name, ascends in reversed(query.sort):
        found.sort(key=attrgetter(name), reverse=not ascends)
    return _page(found, query)


def _fits(quota: Quota, query: Query) -> bool:
    return all(getattr(quota, name) == value for name, value in query.where.items())


def _page(found: list[Quota], query: Query) -> list[Quota]:
    start, end = 0, len(found)
    if query.marker is not None:
        places = [n for n, item in enumerate(found) if item.project_id == query.marker]
        if not places:
            raise Invalid(f"cannot find the marker {query.marker[:64]!a}")
        start, end = (0, places[0]) if query.backwards else (places[0] + 1, end)
    limit = len(found) if query.limit is None else query.limit
    return found[max(start, end - limit) : end] if query.backwards else found[start:end][:limit]


def set_quota(services: Services, project: str, **numbers: int | None) -> Quota:
    """None means the default again; raises `Invalid` below -1."""
    for kind, number in numbers.items():
        if number is not None and number < UNLIMITED:
            raise Invalid(f"cannot set the quota {kind}: it must be at least -1, got {number}")
    with services.storage.writing() as unit:
        own = unit.quotas.get(project)
        before = {kind: getattr(own, kind, None) for kind in KINDS}
        unit.quotas.remove(project)
        unit.quotas.add(Quota(project_id=project, **{**before, **numbers}))
    return show_quota(services, project)


def reset_quota(services: Services, project: str) -> None:
    """The defaults from now on; raises `NotFound` where the project has them already."""
    with services.storage.writing() as unit:
        if unit.quotas.get(project) is None:
            raise NotFound(f"Quota {project} not found.")
        unit.quotas.remove(project)
