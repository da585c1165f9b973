"""How many resources a project may have."""

from dataclasses import fields
from typing import Any

from libra.errors import Invalid, QuotaExceeded
from libra.model.quota import UNLIMITED, Quota
from libra.storage.base import EVERYTHING, Rows, UnitOfWork
from libra.usecases.services import Services

KINDS = tuple(field.name for field in fields(Quota) if field.name != "project_id")
_WORDS = {
    "load_balancer": "Load Balancer",
    "listener": "Listener",
    "pool": "Pool",
    "member": "Member",
    "health_monitor": "HealthMonitor",
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
    }
    return rows[kind].count({"project_id": project})


def effective(services: Services, own: Quota | None, project: str) -> Quota:
    """The project's own numbers, and the defaults for the others."""
    defaults = services.limits.quota
    chosen = {
        kind: getattr(defaults, kind) if getattr(own, kind, None) is None else getattr(own, kind)
        for kind in KINDS
    }
    return Quota(project_id=project, **chosen)


def show_quota(services: Services, project: str) -> Quota:
    """With the defaults filled in."""
    with services.storage.reading() as unit:
        return effective(services, unit.quotas.get(project), project)


def list_quotas(services: Services) -> list[Quota]:
    """Of the projects that have some of their own."""
    with services.storage.reading() as unit:
        return [
            effective(services, quota, quota.project_id) for quota in unit.quotas.find(EVERYTHING)
        ]


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
    """The defaults from now on."""
    with services.storage.writing() as unit:
        unit.quotas.remove(project)
