"""Clusters: listed, enabled, disabled. They come and go with the device pools and web clusters that they are."""

from dataclasses import replace

from libra.errors import NotFound
from libra.messages.fields import quoted
from libra.model.access import Caller
from libra.model.cluster import Cluster, build_clusters, build_web_clusters, pick
from libra.model.device import WATCHED
from libra.storage.base import UnitOfWork
from libra.storage.query import Query
from libra.usecases.outbox import add_event
from libra.usecases.services import Services
from libra.usecases.webclusters.snapshots import cluster_lock, nanoseconds


def list_clusters(services: Services) -> list[Cluster]:
    """All of them: device pools, then web clusters, each by name."""
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
        switched = replace(
            found, disabled=disabled, disabled_reason=reason, updated_at=services.clock()
        )
        switch = _switch_web if found.is_web else _switch_pool
        project = switch(unit, services, switched)
        kind = "on_webcluster_" if found.is_web else "devicepool."
        kind += "disabled" if disabled else "enabled"
        add_event(unit, services, caller, kind, found.key, project, reason or f"'{found.name}'")
    return switched


def _switch_pool(unit: UnitOfWork, _services: Services, switched: Cluster) -> str | None:
    """The project that it is of: none."""
    pool = unit.device_pools.get(switched.key)
    if pool is not None:
        unit.device_pools.replace(
            replace(
                pool,
                disabled=switched.disabled,
                disabled_reason=switched.disabled_reason,
                updated_at=switched.updated_at,
            )
        )
    return None


def _switch_web(unit: UnitOfWork, services: Services, switched: Cluster) -> str | None:
    """The project that it is of."""
    unit.hold(cluster_lock(switched.key))
    cluster = unit.web_clusters.get(switched.key)
    if cluster is None:
        return None
    unit.web_clusters.replace(
        replace(
            cluster,
            disabled=switched.disabled,
            disabled_reason=switched.disabled_reason,
            changed=nanoseconds(services),
        )
    )
    return cluster.project_id


def _load(unit: UnitOfWork, services: Services) -> list[Cluster]:
    pools = sorted(unit.device_pools.find(), key=lambda pool: pool.name)
    devices = unit.devices.find(Query(where={"state": WATCHED}))
    now = services.clock()
    web = unit.web_clusters.find()
    nodes = unit.web_nodes.find() if web else []
    return [*build_clusters(pools, devices, now), *build_web_clusters(web, nodes, devices, now)]


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
