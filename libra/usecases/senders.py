"""Who sends to a pool."""

from libra.model.resources.l7policy import L7Policy
from libra.model.resources.listener import Listener
from libra.storage.base import UnitOfWork
from libra.storage.query import Query


def policies_of(unit: UnitOfWork, pool_id: str) -> list[L7Policy]:
    """The L7 policies that name it, but for those that are being deleted."""
    return unit.l7policies.find(Query(where={"redirect_pool_id": pool_id, "going": False}))


def senders_of(unit: UnitOfWork, pool_id: str) -> list[Listener]:
    """The listeners whose default it is, or one of whose L7 policies names it; each once."""
    found = unit.listeners.find(Query(where={"default_pool_id": pool_id}))
    keys = {item.listener_id for item in policies_of(unit, pool_id)} - {item.id for item in found}
    if keys:
        found += unit.listeners.find(Query(where={"id": sorted(keys)}))
    return found
