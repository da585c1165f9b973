"""Web clusters: made, changed, ordered about, deleted. Their monitor does what is ordered."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from libra.errors import AlreadyExists, CannotStart, InvalidConfiguration, NotFound, QuotaExceeded
from libra.model.access import Caller
from libra.model.webcluster import WebCluster, WebClusterEvent, WebClusterState, advance
from libra.model.webdefinition import TLS_FIELDS
from libra.storage.base import UnitOfWork
from libra.storage.query import Query
from libra.usecases.access import choose_project
from libra.usecases.outbox import add_event
from libra.usecases.services import Services, new_id
from libra.usecases.webclusters import tls
from libra.usecases.webclusters.ports import choose_port, ensure_port_free, hold_ports
from libra.usecases.webclusters.snapshots import (
    Snapshot,
    add_revision,
    amend,
    cluster_lock,
    find_cluster,
    load,
    nanoseconds,
    store,
)

MOST_IN_PROJECT = 1000
Fields = Mapping[str, Any]
_EVENTS = {
    WebClusterEvent.START: "on_webcluster_starting",
    WebClusterEvent.STOP: "on_webcluster_stopping",
    WebClusterEvent.PAUSE: "on_webcluster_paused",
    WebClusterEvent.RESUME: "on_webcluster_starting",
    WebClusterEvent.RESTART: "on_webcluster_starting",
}


def create_cluster(
    services: Services, caller: Caller, project: str | None, given: Fields
) -> Snapshot:
    """STOPPED, without nodes and services. `given` is what was sent of the fields.

    Raises `InvalidConfiguration`, `AlreadyExists`, `Forbidden`.
    """
    owner = choose_project(caller, project)
    bare = WebCluster(
        oid=new_id(),
        project_id=owner,
        name=given["name"],
        owner_oid=caller.oid or str(uuid5(NAMESPACE_OID, caller.name)),
        changed=nanoseconds(services),
        created_at=services.clock(),
        revision=1,
    )
    with services.storage.reading() as unit:
        made = _apply(unit, services, Snapshot(cluster=bare), given)
    with services.storage.writing() as unit:
        unit.hold(_project_lock(owner))
        if unit.web_clusters.count({"project_id": owner}) >= MOST_IN_PROJECT:
            raise QuotaExceeded(
                f"Quota has been met for resources: Web cluster; this project may have {MOST_IN_PROJECT}"
            )
        _ensure_name_free(unit, made.cluster)
        made = replace(made, tls=tls.refresh_tls(unit, made.cluster, made.tls))
        unit.web_clusters.add(made.cluster)
        add_revision(unit, services, made)
        tell(unit, services, caller, "on_webcluster_created", made.cluster)
    return made


def change_cluster(services: Services, caller: Caller, key: str, given: Fields) -> Snapshot:
    """Only what is given changes; null means the default. Its nodes are asked first, where they have it.

    Raises as `create_cluster`, and `NotFound`.
    """

    def edit(unit: UnitOfWork, before: Snapshot) -> Snapshot:
        after = _apply(unit, services, before, given)
        if before.cluster.is_live and after.cluster.tcp_port is None:
            raise InvalidConfiguration(
                "cannot take tcp_port away while the web cluster is not stopped"
            )
        ensure_port_free(unit, after)
        return after

    def write(unit: UnitOfWork, stored: Snapshot) -> None:
        names = ", ".join(sorted(given))
        tell(unit, services, caller, "on_webcluster_changed", stored.cluster, names)

    if "name" in given:
        _ensure_may_rename(services, caller, key, given["name"])
    return amend(services, caller, key, edit, write)


def _ensure_may_rename(services: Services, caller: Caller, key: str, name: str) -> None:
    """In time for a good answer; the database has the last word."""
    with services.storage.reading() as unit:
        cluster = find_cluster(unit, caller, key, writes=True)
        _ensure_name_free(unit, replace(cluster, name=name))


def _ensure_name_free(unit: UnitOfWork, cluster: WebCluster) -> None:
    where = {"project_id": cluster.project_id, "name": cluster.name}
    if any(item.oid != cluster.oid for item in unit.web_clusters.find(Query(where=where))):
        raise AlreadyExists(
            f"cannot name a web cluster '{cluster.name}': there is one of that name"
        )


def _apply(unit: UnitOfWork, services: Services, before: Snapshot, given: Fields) -> Snapshot:
    plain = {name: value for name, value in given.items() if name not in TLS_FIELDS}
    secured = {name: value for name, value in given.items() if name in TLS_FIELDS}
    cluster, shown = replace(before.cluster, **plain), before.tls
    if secured:
        cluster, shown = tls.apply_tls(unit, services, cluster, secured)
    _ensure_addresses_fit(cluster)
    return replace(before, cluster=cluster, tls=shown)


def _ensure_addresses_fit(cluster: WebCluster) -> None:
    if cluster.tcp_version is None or cluster.tcp_interface is None:
        return
    if (":" in cluster.tcp_interface) != (cluster.tcp_version == 6):
        raise InvalidConfiguration(
            f"cannot listen on {cluster.tcp_interface} with tcp_version {cluster.tcp_version}"
        )


def show_cluster(services: Services, caller: Caller, key: str) -> WebCluster:
    """By id or name; raises as `find_cluster`."""
    with services.storage.reading() as unit:
        return find_cluster(unit, caller, key)


def list_clusters(services: Services, caller: Caller) -> list[WebCluster]:
    """Those of the caller's project, or all; by creation."""
    where = {} if caller.sees_everything else {"project_id": caller.project_id}
    with services.storage.reading() as unit:
        return unit.web_clusters.find(Query(where=where))


def delete_cluster(services: Services, caller: Caller, key: str) -> WebCluster:
    """With its nodes' membership and its services; as it was last. Raises `NotStopped`."""
    with services.storage.writing() as unit:
        cluster = _locked(unit, caller, key)
        advance(cluster.name, cluster.status, WebClusterEvent.DELETE)
        unit.web_clusters.remove(cluster.oid)
        tell(unit, services, caller, "on_webcluster_deleted", cluster)
    return replace(cluster, changed=nanoseconds(services))


def order_cluster(
    services: Services, caller: Caller, key: str, order: WebClusterEvent
) -> WebCluster:
    """As it is then. Raises `CannotStart`, `CannotStop`."""
    with services.storage.writing() as unit:
        cluster = _locked(unit, caller, key)
        into = advance(cluster.name, cluster.status, order)
        if into is WebClusterState.STARTING:
            cluster = _prepare(unit, services, load(unit, cluster), order)
        changed = nanoseconds(services)
        ordered = replace(cluster, status=into, changed=changed, reason="")
        unit.web_clusters.replace(ordered)
        tell(unit, services, caller, _EVENTS[order], ordered, order.value)
    services.bell.ring()
    return ordered


def _prepare(
    unit: UnitOfWork, services: Services, snapshot: Snapshot, order: WebClusterEvent
) -> WebCluster:
    """With a port; a restart has every node told anew, and of what a stored certificate is by now."""
    cluster = snapshot.cluster
    needs_port = cluster.tcp_port is None
    if needs_port:
        port = choose_port(unit, services.limits.web_ports)
        snapshot = replace(snapshot, cluster=replace(cluster, tcp_port=port))
    try:
        hold_ports(unit)
        ensure_port_free(unit, snapshot, starts=True)
    except AlreadyExists as error:
        raise CannotStart(str(error)) from None
    if not needs_port and order is not WebClusterEvent.RESTART:
        return cluster
    return store(unit, services, cluster, snapshot, snapshot).cluster


def _locked(unit: UnitOfWork, caller: Caller, key: str) -> WebCluster:
    found = find_cluster(unit, caller, key, writes=True)
    unit.hold(cluster_lock(found.oid))
    current = unit.web_clusters.get(found.oid)
    if current is None:
        raise NotFound(f"Web cluster {key} not found.")
    return current


def _project_lock(project: str) -> str:
    return f"webclusters {project}"


def tell(
    unit: UnitOfWork,
    services: Services,
    caller: Caller,
    kind: str,
    cluster: WebCluster,
    words: str = "",
) -> None:
    """An event that names the cluster."""
    reason = f"'{cluster.name}' {words}".rstrip()
    add_event(unit, services, caller, kind, cluster.oid, cluster.project_id, reason)
