"""Web clusters that show a stored certificate: who they are, and how they get it when it is renewed."""

from libra.model.access import Caller
from libra.model.resources.certificate import StoredCertificate
from libra.model.webcluster import WebCluster
from libra.storage.base import UnitOfWork
from libra.storage.query import Query
from libra.usecases.outbox import add_event
from libra.usecases.services import Services
from libra.usecases.webclusters.snapshots import Snapshot, amend


def users_of(unit: UnitOfWork, stored: StoredCertificate) -> list[WebCluster]:
    """By creation."""
    where = {"project_id": stored.project_id, "tls_certificate": stored.id}
    return unit.web_clusters.find(Query(where=where))


def roll_out(services: Services, caller: Caller, stored: StoredCertificate) -> None:
    """A new revision of each, with the certificate as it is by now. Nodes are not asked: it is stored already."""

    def edit(_unit: UnitOfWork, before: Snapshot) -> Snapshot:
        return before

    def tell(unit: UnitOfWork, changed: Snapshot) -> None:
        cluster, kind = changed.cluster, "on_webcluster_changed"
        reason = f"'{cluster.name}' the certificate {stored.id} was renewed"
        add_event(unit, services, caller, kind, cluster.oid, cluster.project_id, reason)

    with services.storage.reading() as unit:
        oids = [item.oid for item in users_of(unit, stored)]
    for oid in oids:
        amend(services, caller, oid, edit, tell, check=False)
