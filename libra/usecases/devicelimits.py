"""How many devices a project may use, which operators keep in a map: those of its load balancers and web clusters."""

from collections.abc import Collection, Sequence

from libra.errors import QuotaExceeded
from libra.messages.fields import quoted
from libra.model.device import Place
from libra.model.quota import UNLIMITED
from libra.storage.base import UnitOfWork
from libra.usecases.adminmaps import limit_of


def narrow_by_limit(
    unit: UnitOfWork, project: str, places: Sequence[Place], leaving: Collection[str] = ()
) -> Sequence[Place]:
    """Those that the project may be placed at: of one that uses as many as it may, only these.

    `leaving` are the ids of devices that it is about to use no more. `PLACEMENT` is held, so that nobody else counts.
    """
    limit = limit_of(unit, project)
    if limit == UNLIMITED:
        return places
    used = unit.devices.of_project(project) - set(leaving)
    if len(used) < limit:
        return places
    return [place for place in places if place.device_id in used]


def ensure_within_limit(unit: UnitOfWork, project: str, device_id: str) -> None:
    """Raises `QuotaExceeded` where the device would be one too many; `PLACEMENT` is held."""
    limit = limit_of(unit, project)
    if limit == UNLIMITED:
        return
    used = unit.devices.of_project(project)
    if device_id not in used and len(used) >= limit:
        raise QuotaExceeded(explain_limit(unit, project))


def explain_limit(unit: UnitOfWork, project: str) -> str:
    """A sentence."""
    used, limit = len(unit.devices.of_project(project)), limit_of(unit, project)
    return f"Quota has been met for resources: device; the project {quoted(project)} uses {used}, and may use {limit}"
