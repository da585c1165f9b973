"""Load balancers of the provider `noop`: provisioned in the database, and nowhere else."""

from collections.abc import Container
from dataclasses import replace

from libra.manager.settle import activate_records, write_all
from libra.manager.statuses import UNMEASURED, records, status_of_unmeasured
from libra.model.resources.loadbalancer import NOOP, LoadBalancer
from libra.model.resources.member import Member
from libra.model.resources.resource import Resource
from libra.model.resources.tree import LoadBalancerTree
from libra.model.status import PENDING, OperatingStatus
from libra.storage.base import UnitOfWork
from libra.storage.query import Query
from libra.usecases.services import Services

WAITING = Query(where={"provider": NOOP, "provisioning_status": list(PENDING)})


def provision_noops(services: Services) -> None:
    """Whatever is on its way is there at once. Who writes to them waits for that, as with others."""
    for owner in services.storage.look(lambda unit: unit.loadbalancers.find(WAITING)):
        with services.storage.writing() as unit:
            _provision(unit, services, owner)


def _provision(unit: UnitOfWork, services: Services, owner: LoadBalancer) -> None:
    tree = unit.loadbalancers.tree(owner.id)
    if tree is None or tree.loadbalancer != owner:
        return
    activate_records(unit, services, tree)
    live = unit.loadbalancers.tree(owner.id)
    if live is not None:
        write_all(unit, unmeasured(live))


def unmeasured(tree: LoadBalancerTree) -> list[Resource]:
    """Pure: all of it with the status of what nobody measures, as Octavia leaves it with its provider of that name."""
    watched = {pool.pool.id for pool in tree.pools if pool.monitor is not None}
    return [replace(record, operating_status=_status(record, watched)) for record in records(tree)]


def _status(record: Resource, watched: Container[str]) -> OperatingStatus:
    if isinstance(record, UNMEASURED):
        return status_of_unmeasured(record)
    is_free = isinstance(record, Member) and record.pool_id not in watched
    return OperatingStatus.NO_MONITOR if is_free else OperatingStatus.OFFLINE
