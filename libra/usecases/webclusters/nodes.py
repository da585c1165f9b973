"""The nodes of web clusters: devices that serve it, or stand by."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from libra.errors import Conflict, Forbidden, Invalid, NotFound
from libra.messages.fields import quoted
from libra.model.access import Caller
from libra.model.device import Device, DeviceState
from libra.model.webcluster import WebCluster, WebClusterNode, node_key
from libra.storage.base import PLACEMENT, UnitOfWork, device_lock
from libra.storage.query import Query
from libra.usecases.devicelimits import ensure_within_limit
from libra.usecases.outbox import add_event, add_update
from libra.usecases.services import Services, WebCandidate
from libra.usecases.webclusters.ports import ensure_port_free, hold_ports
from libra.usecases.webclusters.snapshots import (
    Snapshot,
    cluster_lock,
    find_cluster,
    load,
    nanoseconds,
    nodes_of,
)

ONLINE, OFFLINE = "online", "offline"
_SERVING = (DeviceState.SPARE, DeviceState.ASSIGNED, DeviceState.DRAINING)
_GOING = (DeviceState.ANNOUNCED, DeviceState.DRAINING, DeviceState.RETIRED)


@dataclass(frozen=True, slots=True)
class Member:
    """A node and its device."""

    node: WebClusterNode
    device: Device

    @property
    def status(self) -> str:
        """Whether its worker answers."""
        is_online = self.device.state in _SERVING and not self.device.misses
        return ONLINE if is_online else OFFLINE


def add_node(
    services: Services,
    caller: Caller,
    key: str,
    device: str,
    *,
    parallel: int | None = None,
    standby: bool = False,
) -> Member:
    """By the device's id or name. One that is a node already is given these values.

    Where the cluster's nodes have it, this one is asked first. Raises `NotFound`, `Forbidden`, and `Conflict` for a
    device that may not be used.
    """
    with services.storage.reading() as unit:
        before = load(unit, find_cluster(unit, caller, key, writes=True))
        found = _find_device(unit, device)
        wanted = _wanted(services, before, found, parallel or None, standby=standby)
    if before.cluster.is_live:
        services.webcheck(_candidate(before, wanted))
    with services.storage.writing() as unit:
        unit.hold(PLACEMENT)
        unit.hold(device_lock(found.id))
        unit.hold(cluster_lock(before.cluster.oid))
        cluster = unit.web_clusters.get(before.cluster.oid)
        if cluster is None:
            raise NotFound(f"Web cluster {key} not found.")
        member = _put(unit, services, caller, load(unit, cluster), found.id, wanted)
    services.bell.ring()
    return member


def _wanted(
    services: Services, before: Snapshot, device: Device, parallel: int | None, *, standby: bool
) -> WebClusterNode:
    """A new one, as it is to be."""
    now = services.clock()
    return WebClusterNode(
        id=node_key(before.cluster.oid, device.id),
        cluster_oid=before.cluster.oid,
        node_oid=device.id,
        parallel=parallel,
        standby=standby or None,
        active=not standby,
        since=now,
        created_at=now,
    )


def _candidate(before: Snapshot, wanted: WebClusterNode) -> WebCandidate:
    """The others have the definition already, and are not asked."""
    return WebCandidate(cluster=before.cluster, definition=before.definition, nodes=(wanted,))


def _put(
    unit: UnitOfWork,
    services: Services,
    caller: Caller,
    current: Snapshot,
    device_id: str,
    wanted: WebClusterNode,
) -> Member:
    device = unit.devices.get(device_id)
    if device is None:
        raise NotFound(f"Device {device_id} not found.")
    known = unit.web_nodes.get(wanted.id)
    cluster = replace(current.cluster, changed=nanoseconds(services))
    if known is None:
        _ensure_usable(unit, cluster, device)
        hold_ports(unit)
        ensure_port_free(unit, replace(current, nodes=(wanted,)))
        unit.web_nodes.add(wanted)
        kind, stored = "on_webcluster_node_added", wanted
    else:
        kind, stored = "on_webcluster_node_changed", _changed(known, wanted)
        unit.web_nodes.replace(stored)
        if stored.parallel != known.parallel and known.revision:
            _have_it_told(unit, services, caller, device, cluster)
    unit.web_clusters.replace(cluster)
    _tell(unit, services, caller, kind, cluster, device)
    return Member(stored, device)


def _changed(known: WebClusterNode, wanted: WebClusterNode) -> WebClusterNode:
    """Who is active is the monitor's to say, but for a cluster that nobody has."""
    changed = replace(known, parallel=wanted.parallel, standby=wanted.standby)
    if changed == known:
        return known
    idle = not known.revision and not known.confirmed_revision
    return replace(changed, since=wanted.since, active=wanted.active if idle else known.active)


def _ensure_usable(unit: UnitOfWork, cluster: WebCluster, device: Device) -> None:
    """Raises `Conflict` and `Forbidden`."""
    name = device.name
    if device.state in _GOING:
        raise Conflict(f"cannot use the device '{name}' as a node while it is {device.state.value}")
    if device.is_older:
        raise Conflict(
            f"cannot use the device '{name}' as a node: its worker understands messages of 1.0 only"
        )
    ensure_within_limit(unit, cluster.project_id, device.id)
    if cluster.disabled:
        why = f": {cluster.disabled_reason}" if cluster.disabled_reason else ""
        raise Conflict(
            f"cannot add a node to the web cluster '{cluster.name}': it is disabled{why}"
        )
    pool = unit.device_pools.get(device.pool_id)
    if pool is None:
        return
    if pool.disabled:
        why = f": {pool.disabled_reason}" if pool.disabled_reason else ""
        raise Conflict(
            f"cannot use the device '{name}' as a node: its device pool '{pool.name}' is disabled{why}"
        )
    if not pool.shared and _projects_on(unit, device) - {cluster.project_id}:
        raise Forbidden(
            f"cannot use the device '{name}' as a node: another project's things are there"
        )


def _projects_on(unit: UnitOfWork, device: Device) -> set[str]:
    on_it = unit.loadbalancers.find(Query(where={"device_id": device.id}))
    keys = {node.cluster_oid for node in unit.web_nodes.find(Query(where={"node_oid": device.id}))}
    clusters = unit.web_clusters.find(Query(where={"oid": keys})) if keys else []
    return {item.project_id for item in on_it} | {item.project_id for item in clusters}


def remove_node(services: Services, caller: Caller, key: str, device: str) -> Member:
    """As it was; where it has the cluster, it is told to let go. Raises `NotFound`, `Forbidden`."""
    with services.storage.reading() as unit:
        cluster = find_cluster(unit, caller, key, writes=True)
        found = _member(unit, cluster, device)
    with services.storage.writing() as unit:
        unit.hold(device_lock(found.device.id))
        unit.hold(cluster_lock(cluster.oid))
        current, member = unit.web_clusters.get(cluster.oid), _member(unit, cluster, device)
        if current is None:
            raise NotFound(f"Web cluster {key} not found.")
        unit.web_nodes.remove(member.node.id)
        unit.web_clusters.replace(replace(current, changed=nanoseconds(services)))
        if member.node.revision or member.node.confirmed_revision:
            _have_it_told(unit, services, caller, member.device, current)
        _tell(unit, services, caller, "on_webcluster_node_removed", current, member.device)
    services.bell.ring()
    return member


def _have_it_told(
    unit: UnitOfWork, services: Services, caller: Caller, device: Device, cluster: WebCluster
) -> None:
    """What is stored by then; the device's lock is held."""
    generation = unit.devices.next_generation(device.id)
    add_update(unit, services, caller, device, generation=generation, project_id=cluster.project_id)


def show_node(services: Services, caller: Caller, key: str, device: str) -> Member:
    """By the device's id or name; raises `NotFound`."""
    with services.storage.reading() as unit:
        return _member(unit, find_cluster(unit, caller, key), device)


def list_nodes(
    services: Services, caller: Caller, key: str, status: str | None = None
) -> list[Member]:
    """By name; `status` is online or offline. Raises `Invalid` for another."""
    if status not in (None, ONLINE, OFFLINE):
        raise Invalid(
            f"cannot filter nodes by the status {quoted(status)}: it must be {ONLINE} or {OFFLINE}"
        )
    with services.storage.reading() as unit:
        found = members_of(unit, nodes_of(unit, find_cluster(unit, caller, key).oid))
    return [item for item in found if status in (None, item.status)]


def members_of(unit: UnitOfWork, nodes: Iterable[WebClusterNode]) -> list[Member]:
    """With their devices, by name."""
    by_device = {node.node_oid: node for node in nodes}
    if not by_device:
        return []
    devices = unit.devices.find(Query(where={"id": set(by_device)}))
    return sorted(
        (Member(by_device[item.id], item) for item in devices), key=lambda item: item.device.name
    )


def _member(unit: UnitOfWork, cluster: WebCluster, key: str) -> Member:
    device = _find_device(unit, key)
    node = unit.web_nodes.get(node_key(cluster.oid, device.id))
    if node is None:
        raise NotFound(f"Device {key} is no node of the web cluster '{cluster.name}'.")
    return Member(node, device)


def _find_device(unit: UnitOfWork, key: str) -> Device:
    device = unit.devices.get(key) or unit.devices.by_name(key)
    if device is None:
        raise NotFound(f"Device {key} not found.")
    return device


def _tell(
    unit: UnitOfWork,
    services: Services,
    caller: Caller,
    kind: str,
    cluster: WebCluster,
    device: Device,
) -> None:
    reason = f"'{device.name}' of '{cluster.name}'"
    add_event(unit, services, caller, kind, cluster.oid, cluster.project_id, reason)
