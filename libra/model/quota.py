"""The quota of a project: how many of each resource it may have."""

from dataclasses import dataclass

UNLIMITED = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """None means the default of the settings, -1 no limit."""

    project_id: str
    load_balancer: int | None = None
    listener: int | None = None
    pool: int | None = None
    member: int | None = None
    health_monitor: int | None = None
    l7policy: int | None = None
    l7rule: int | None = None
