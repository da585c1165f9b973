"""Load balancers of the provider `noop`: provisioned in the database, and nowhere else."""

from dataclasses import replace

from libra.manager.settle import activate_records, write_all
from libra.manager.statuses import records
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
        write_all(unit, imagine(live))


def imagine(tree: LoadBalancerTree) -> list[Resource]:
    """Pure: all of it, as if it ran and nobody looked."""
    return [replace(record, operating_status=_status(record)) for record in records(tree)]


def _status(record: Resource) -> OperatingStatus:
    if not record.admin_state_up:
        return OperatingStatus.OFFLINE
    is_member = isinstance(record, Member)
    return OperatingStatus.NO_MONITOR if is_member else OperatingStatus.ONLINE
