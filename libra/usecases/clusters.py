"""Clusters: listed, enabled, disabled. They come and go with the device pools that they are."""

from dataclasses import replace

from libra.errors import NotFound
from libra.messages.fields import quoted
from libra.model.access import Caller
from libra.model.cluster import Cluster, build_clusters, pick
from libra.model.device import WATCHED
from libra.storage.base import Query, UnitOfWork
from libra.usecases.outbox import add_event
from libra.usecases.services import Services


def list_clusters(services: Services) -> list[Cluster]:
    """All of them, by name."""
    with services.storage.reading() as unit:
        return _load(unit, services)


def find_cluster(services: Services, name: str, binary: str | None) -> Cluster:
    """Raises `NotFound`. `binary` None is any."""
    return _pick(list_clusters(services), name, binary)


def switch_cluster(
    services: Services,
    caller: Caller,
    name: str,
    binary: str | None,
    *,
    disabled: bool,
    reason: str | None = None,
) -> Cluster:
    """As it is then; a reason of before is forgotten. Idempotent. Raises `NotFound`."""
    with services.storage.writing() as unit:
        found = _pick(_load(unit, services), name, binary)
        pool = unit.device_pools.get(found.key)
        if pool is None:
            raise _missing(name, binary)
        now = services.clock()
        changed = replace(pool, disabled=disabled, disabled_reason=reason, updated_at=now)
        unit.device_pools.replace(changed)
        kind = f"devicepool.{'disabled' if disabled else 'enabled'}"
        add_event(unit, services, caller, kind, pool.id, reason=reason or f"'{pool.name}'")
    return replace(found, disabled=disabled, disabled_reason=reason, updated_at=now)


def _load(unit: UnitOfWork, services: Services) -> list[Cluster]:
    pools = sorted(unit.device_pools.find(), key=lambda pool: pool.name)
    devices = unit.devices.find(Query(where={"state": WATCHED}))
    return build_clusters(pools, devices, services.clock())


def _pick(clusters: list[Cluster], name: str, binary: str | None) -> Cluster:
    found = pick(clusters, name, binary)
    if found is None:
        raise _missing(name, binary)
    return found


def _missing(name: str, binary: str | None) -> NotFound:
    wanted = [] if binary is None else [f"binary={quoted(binary)}"]
    return NotFound(
        f"Cluster with {', '.join([*wanted, f'name={quoted(name)}'])} could not be found."
    )
