"""A change that a node refuses, or does not serve with, is taken back: the cluster is what it was."""

from dataclasses import replace

from libra.model.webcluster import WebCluster
from libra.model.webdefinition import fields_of
from libra.storage.base import UnitOfWork
from libra.storage.query import Query
from libra.usecases.services import Services
from libra.usecases.webclusters.snapshots import load_definition, nanoseconds, store_services


def restore(
    unit: UnitOfWork, services: Services, cluster: WebCluster, revision: int, reason: str
) -> WebCluster:
    """With the fields and services of that revision, which is kept; its lock is held."""
    definition = load_definition(unit, cluster.oid, revision)
    fields = fields_of(definition)
    restored = replace(
        cluster, **fields, revision=revision, reason=reason, changed=nanoseconds(services)
    )
    unit.web_clusters.replace(restored)
    before = unit.web_services.find(Query(where={"webcluster_oid": cluster.oid}))
    store_services(unit, tuple(before), definition.services)
    return restored
