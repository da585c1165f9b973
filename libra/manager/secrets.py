"""Certificates and keys out of the storage, opened for a message."""

from collections.abc import Iterable

from libra.model.materials import NO_MATERIALS, Material, Materials
from libra.model.resources.references import references_of
from libra.model.resources.tree import LoadBalancerTree
from libra.storage.base import Query, UnitOfWork
from libra.usecases.services import Sealer


def load_materials(
    unit: UnitOfWork, sealer: Sealer, trees: Iterable[LoadBalancerTree]
) -> Materials:
    """Everything that listeners of these refer to, by id; raises `Invalid` where a key cannot be opened."""
    wanted = {key for tree in trees for item in tree.listeners for key in references_of(item)}
    if not wanted:
        return NO_MATERIALS
    found = unit.certificates.find(Query(where={"id": sorted(wanted)}))
    return {
        item.id: Material(item.pem, sealer.unseal(item.sealed) if item.sealed else "")
        for item in found
    }
