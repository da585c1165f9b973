"""Certificates and keys out of the storage, opened for a message, and back."""

from collections.abc import Iterable, Mapping

from libra.model.materials import NO_MATERIALS, Material, Materials
from libra.model.resources.references import tree_references
from libra.model.resources.tree import LoadBalancerTree
from libra.storage.base import UnitOfWork
from libra.storage.kinds import SealedMaterials
from libra.storage.query import Query
from libra.usecases.services import Sealer


def load_materials(
    unit: UnitOfWork, sealer: Sealer, trees: Iterable[LoadBalancerTree]
) -> Materials:
    """Everything that these refer to, by id; raises `Invalid` where a key cannot be opened."""
    wanted = {key for tree in trees for key in tree_references(tree)}
    if not wanted:
        return NO_MATERIALS
    found = unit.certificates.find(Query(where={"id": sorted(wanted)}))
    return {item.id: _open(sealer, item.pem, item.sealed) for item in found}


def load_confirmed(
    unit: UnitOfWork, sealer: Sealer, trees: Mapping[str, LoadBalancerTree]
) -> dict[str, Materials]:
    """What these, by their ids, showed when their device confirmed them; of some it is not on record."""
    with_tls = [key for key, tree in trees.items() if tree_references(tree)]
    found = unit.loadbalancers.applied_materials(with_tls) if with_tls else {}
    return {
        owner: {key: _open(sealer, pem, sealed) for key, (pem, sealed) in shown.items()}
        for owner, shown in found.items()
    }


def seal_shown(sealer: Sealer, tree: LoadBalancerTree, materials: Materials) -> SealedMaterials:
    """What this one shows, keys encrypted, to be kept."""
    wanted = tree_references(tree)
    return {
        key: (materials[key].pem, sealer.seal(materials[key].key) if materials[key].key else "")
        for key in sorted(wanted & materials.keys())
    }


def _open(sealer: Sealer, pem: str, sealed: str) -> Material:
    return Material(pem, sealer.unseal(sealed) if sealed else "")
