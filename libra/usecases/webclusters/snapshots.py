"""A web cluster of one moment with everything, how it is found, and how a change of it becomes a new revision."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from libra.errors import Conflict, Invalid, NotFound
from libra.messages.fields import quoted
from libra.model.access import Caller
from libra.model.webcluster import (
    StoredWebService,
    WebCluster,
    WebClusterNode,
    WebRevision,
    revision_key,
)
from libra.model.webdefinition import (
    WebDefinition,
    WebTls,
    define,
    read_definition,
    write_definition,
)
from libra.model.webpaths import is_name
from libra.storage.base import UnitOfWork
from libra.storage.query import Query
from libra.usecases.access import ensure_may_see, ensure_may_write
from libra.usecases.services import Services, WebCandidate
from libra.usecases.webclusters.tls import refresh_tls

MOST_ATTEMPTS = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """`services` are by path, `nodes` by when they were added. `tls` is that of the newest definition."""

    cluster: WebCluster
    services: tuple[StoredWebService, ...] = ()
    nodes: tuple[WebClusterNode, ...] = ()
    tls: WebTls | None = None

    @property
    def definition(self) -> WebDefinition:
        """What its nodes are to be told."""
        return define(self.cluster, self.tls, self.services)


def cluster_lock(oid: str) -> str:
    """The name to hold; after the lock of any device."""
    return f"webcluster {oid}"


def nanoseconds(services: Services) -> int:
    """Now, since 1970."""
    return (services.clock() - _EPOCH) // timedelta(microseconds=1) * 1000


def find_cluster(unit: UnitOfWork, caller: Caller, key: str, *, writes: bool = False) -> WebCluster:
    """By id or name; a name is looked for in the caller's project, if it has one.

    Raises `Invalid` for what is neither and for a name of several, `NotFound`, `Forbidden`.
    """
    found = _by_name(unit, caller, key) if is_name(key) else unit.web_clusters.get(_id(key))
    if found is None:
        raise NotFound(f"Web cluster {key} not found.")
    if writes:
        ensure_may_write(caller, found.project_id)
    else:
        ensure_may_see(caller, found)
    return found


def _by_name(unit: UnitOfWork, caller: Caller, name: str) -> WebCluster | None:
    found = unit.web_clusters.find(Query(where={"name": name}))
    own = [item for item in found if item.project_id == caller.project_id]
    if own or not caller.sees_everything:
        return own[0] if own else None
    if len(found) > 1:
        raise Invalid(
            f"cannot choose: {len(found)} projects have a web cluster '{name}'; use its id"
        )
    return found[0] if found else None


def _id(key: str) -> str:
    return parse_oid(key, "a web cluster")


def parse_oid(key: str, what: str) -> str:
    """In the spelling that is stored; raises `Invalid` for what is no UUID."""
    try:
        return str(UUID(key))
    except ValueError:
        raise Invalid(f"cannot find {what} by {quoted(key)}: it is no UUID") from None


def load(unit: UnitOfWork, cluster: WebCluster) -> Snapshot:
    """With everything."""
    services = unit.web_services.find(Query(where={"webcluster_oid": cluster.oid}))
    return Snapshot(
        cluster=cluster,
        services=tuple(sorted(services, key=lambda item: item.path)),
        nodes=tuple(nodes_of(unit, cluster.oid)),
        tls=load_definition(unit, cluster.oid, cluster.revision).tls,
    )


def nodes_of(unit: UnitOfWork, oid: str) -> list[WebClusterNode]:
    """By when they were added."""
    return unit.web_nodes.find(Query(where={"cluster_oid": oid}))


def load_definition(unit: UnitOfWork, oid: str, number: int) -> WebDefinition:
    """Of a revision that is kept: those that a node is told or has, the last good one, and the newest."""
    found = unit.web_revisions.get(revision_key(oid, number))
    if found is None:
        raise NotFound(f"Revision {number} of web cluster {oid} not found.")
    return read_definition(found.document)


Edit = Callable[[UnitOfWork, Snapshot], Snapshot]
Tell = Callable[[UnitOfWork, Snapshot], None]


def amend(
    services: Services, caller: Caller, key: str, edit: Edit, tell: Tell, *, check: bool = True
) -> Snapshot:
    """As it is then, with a new revision. `edit` gives what it shall be, `tell` writes the events.

    Where its nodes have it, they are asked first, outside of any transaction, for that takes as long as the slowest of
    them; whoever changes it meanwhile makes this start over. Raises `NotFound`, `Forbidden`, `Invalid`, `Conflict`.
    """
    for _ in range(MOST_ATTEMPTS):
        with services.storage.reading() as unit:
            before = load(unit, find_cluster(unit, caller, key, writes=True))
            after = edit(unit, before)
        asks = check and before.cluster.is_live
        if asks:
            services.webcheck(_candidate(after))
        with services.storage.writing() as unit:
            unit.hold(cluster_lock(before.cluster.oid))
            current = unit.web_clusters.get(before.cluster.oid)
            if current is None:
                raise NotFound(f"Web cluster {key} not found.")
            is_asked = asks or not check or not current.is_live
            if is_asked and current.revision == before.cluster.revision:
                stored = store(unit, services, current, before, after)
                tell(unit, stored)
                break
    else:
        raise Conflict(f"cannot change the web cluster '{before.cluster.name}': others do, too")
    services.bell.ring()
    return stored


def _candidate(after: Snapshot) -> WebCandidate:
    return WebCandidate(cluster=after.cluster, definition=after.definition, nodes=after.nodes)


def store(
    unit: UnitOfWork, services: Services, current: WebCluster, before: Snapshot, after: Snapshot
) -> Snapshot:
    """`current` is what the monitor may have moved since `before`; the lock is held."""
    cluster = replace(
        after.cluster,
        status=current.status,
        good_revision=current.good_revision,
        reason=current.reason,
        revision=_newest(unit, current) + 1,
        changed=nanoseconds(services),
    )
    tls = refresh_tls(unit, cluster, after.tls)
    stored = replace(after, cluster=cluster, tls=tls)
    unit.web_clusters.replace(cluster)
    store_services(unit, before.services, after.services)
    add_revision(unit, services, stored)
    _prune(unit, stored)
    return stored


def _newest(unit: UnitOfWork, cluster: WebCluster) -> int:
    """Also one that was given up: its number must not mean two things."""
    query = Query(where={"cluster_oid": cluster.oid}, sort=(("number", False),), limit=1)
    return max([cluster.revision, *(item.number for item in unit.web_revisions.find(query))])


def store_services(
    unit: UnitOfWork, before: tuple[StoredWebService, ...], after: tuple[StoredWebService, ...]
) -> None:
    """Those that are left out are removed, first: what is added may have their path."""
    old = {item.oid: item for item in before}
    kept = {item.oid for item in after}
    for oid in old.keys() - kept:
        unit.web_services.remove(oid)
    for item in after:
        if item.oid not in old:
            unit.web_services.add(item)
        elif item != old[item.oid]:
            unit.web_services.replace(item)


def add_revision(unit: UnitOfWork, services: Services, snapshot: Snapshot) -> None:
    """Of the number that the cluster has."""
    oid, number = snapshot.cluster.oid, snapshot.cluster.revision
    unit.web_revisions.add(
        WebRevision(
            id=revision_key(oid, number),
            cluster_oid=oid,
            number=number,
            document=write_definition(snapshot.definition),
            created_at=services.clock(),
        )
    )


def _prune(unit: UnitOfWork, snapshot: Snapshot) -> None:
    """What a node may have, or may be told to go back to, stays."""
    cluster = snapshot.cluster
    told = [number for node in nodes_of(unit, cluster.oid) for number in _numbers(node)]
    needed = [number for number in (cluster.good_revision, *told) if number]
    unit.web_revisions.prune(cluster.oid, min([cluster.revision, *needed]))


def _numbers(node: WebClusterNode) -> tuple[int, int]:
    return node.revision, node.confirmed_revision
