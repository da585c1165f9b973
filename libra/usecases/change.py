"""One change of one load balancer: locked, written, sent."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from libra.errors import Conflict, Invalid, NotFound, NotImplementedHere
from libra.messages.older import build_older
from libra.model.access import Caller
from libra.model.device import Device
from libra.model.resources.listener import Listener
from libra.model.resources.loadbalancer import LoadBalancer
from libra.model.resources.pool import Pool
from libra.model.resources.references import tree_references
from libra.model.resources.resource import Resource
from libra.model.resources.tree import LoadBalancerTree
from libra.model.status import MUTABLE, ProvisioningStatus
from libra.model.translate import translate
from libra.storage.base import UnitOfWork, device_lock
from libra.usecases.access import ensure_may_write
from libra.usecases.outbox import add_event, add_update
from libra.usecases.senders import policies_of, senders_of
from libra.usecases.services import Services


class Change:
    """In a transaction of its owner: `lock` first, `send` last."""

    def __init__(self, unit: UnitOfWork, services: Services, caller: Caller) -> None:
        self.unit = unit
        self.services = services
        self.caller = caller
        self.now = services.clock()
        self._made = 0

    def moment(self) -> datetime:
        """When the next part is made: lists, which are by time, keep the order of the request."""
        self._made += 1
        return self.now + timedelta(microseconds=self._made)

    def lock(
        self, key: str, into: ProvisioningStatus = ProvisioningStatus.PENDING_UPDATE
    ) -> LoadBalancer:
        """Raises `NotFound`, `Forbidden`, and `Conflict` while another change is under way."""
        owner = self.unit.loadbalancers.get(key)
        if owner is None:
            raise NotFound(f"Load Balancer {key} not found.")
        ensure_may_write(self.caller, owner.project_id)
        if owner.device_id is not None:
            self.unit.hold(device_lock(owner.device_id))
        locked = self.unit.loadbalancers.lock(key, into, MUTABLE)
        if locked is None:
            raise Conflict(
                f"Load Balancer {key} is immutable and cannot be updated: "
                f"it is {owner.provisioning_status.value}"
            )
        return locked

    def pool(self, key: str) -> Pool:
        """Raises `NotFound`."""
        pool = self.unit.pools.get(key)
        if pool is None:
            raise NotFound(f"Pool {key} not found.")
        return pool

    def touch(self, pool: Pool) -> None:
        """A change below a pool is one of the pool, and of the listeners that send there."""
        self.unit.pools.replace(replace(pool, provisioning_status=_pending(pool)))
        for policy in policies_of(self.unit, pool.id):
            self.unit.l7policies.replace(replace(policy, provisioning_status=_pending(policy)))
        for listener in senders_of(self.unit, pool.id):
            self.touch_listener(listener)

    def listener(self, key: str) -> Listener:
        """Raises `NotFound`."""
        listener = self.unit.listeners.get(key)
        if listener is None:
            raise NotFound(f"Listener {key} not found.")
        return listener

    def touch_listener(self, listener: Listener) -> None:
        """A change below a listener is one of the listener."""
        self.unit.listeners.replace(replace(listener, provisioning_status=_pending(listener)))

    def send(self, owner: LoadBalancer, what: str) -> LoadBalancer:
        """Store the job that brings it live; gives the load balancer as it is stored now."""
        if owner.device_id is None:
            return owner
        generation = self.unit.devices.next_generation(owner.device_id)
        device = self.unit.devices.get(owner.device_id)
        assert device is not None
        if device.is_older:
            self._ensure_understood(device)
        sent = replace(owner, generation=generation)
        self.unit.loadbalancers.replace(sent)
        add_update(
            self.unit,
            self.services,
            self.caller,
            device,
            generation=generation,
            loadbalancer_id=owner.id,
            project_id=owner.project_id,
        )
        self.tell(f"loadbalancer.{owner.provisioning_status.value.lower()}", owner, what)
        return sent

    def _ensure_understood(self, device: Device) -> None:
        """Raises `NotImplementedHere` for what the device's worker, of an older release, has no words for.

        A device that could not be told of what it had before, either, may still get less.
        """
        trees = self.unit.loadbalancers.trees_of(device.id)
        left = [tree for tree in trees if not tree.loadbalancer.going]
        refusal = _refusal(left)
        before = self.unit.loadbalancers.applied([tree.loadbalancer.id for tree in trees])
        if refusal and not _refusal(before.values()):
            raise NotImplementedHere(refusal)

    def tell(self, kind: str, owner: LoadBalancer, reason: str) -> None:
        """An event about it."""
        add_event(self.unit, self.services, self.caller, kind, owner.id, owner.project_id, reason)


def _pending(part: Resource) -> ProvisioningStatus:
    """What goes stays on its way."""
    if part.going:
        return ProvisioningStatus.PENDING_DELETE
    return ProvisioningStatus.PENDING_UPDATE


def _refusal(trees: Iterable[LoadBalancerTree]) -> str:
    """Why messages of 1.0 cannot say it; empty where they can."""
    trees = list(trees)
    if any(map(tree_references, trees)):
        return (
            "cannot run it on this device: its worker is of an older release, which speaks no TLS"
        )
    try:
        build_older([translate(tree) for tree in trees])
    except Invalid as error:
        return str(error)
    return ""
