"""What a device is to be told right now. Pure.

A load balancer that its device refuses must not keep the others from being changed: it is sent as the device has
confirmed it last, or not at all, until the next write or repair tries it again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from libra.model.draining import NOTHING, Drained, drain
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.materials import NO_MATERIALS, Materials
from libra.model.nodestatus import ReportedNode
from libra.model.resources.tree import LoadBalancerTree
from libra.model.status import ProvisioningStatus
from libra.model.translate import translate

SECOND_VERSION = "2.0"


@dataclass(frozen=True, slots=True)
class WebPart:
    """A node's part of a web cluster as it is sent; `node_id` is that of the membership."""

    node_id: str
    revision: int
    active: bool
    loadbalancer: LoadBalancer = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePlan:
    """`desired` is what is sent. A reply settles `current`, which are sent in their new form, and `deleted`, which
    are left out because they are going. `web` is what is sent of web clusters. `materials` is what those in their new
    form show.
    """

    desired: Desired
    current: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()
    web: tuple[WebPart, ...] = ()
    materials: Materials = field(default_factory=dict, repr=False)

    @property
    def pending(self) -> frozenset[str]:
        """Everything that a reply settles."""
        return self.current | self.deleted


def plan_device(
    trees: Sequence[LoadBalancerTree],
    applied: Mapping[str, LoadBalancerTree],
    generation: int,
    only: str | None = None,
    materials: Materials = NO_MATERIALS,
    confirmed: Mapping[str, Materials] = MappingProxyType({}),
    leaving: Collection[str] = (),
    web: Sequence[WebPart] = (),
    drained: Drained = NOTHING,
    nodes: tuple[ReportedNode, ...] | None = None,
) -> DevicePlan:
    """`only` is the id of the one that is tried, where the others stay as they are at the device.

    `confirmed` is what those that are sent as confirmed showed then, by their ids, for a certificate may have been
    renewed by one that is refused. `leaving` are the ids of those that another device is about to confirm: until then
    they stay as they are. Members at `drained` places take nothing new. `nodes` are for who reports their health.
    """
    sent: list[LoadBalancer] = []
    current: set[str] = set()
    deleted: set[str] = set()
    for tree in trees:
        key, status = tree.loadbalancer.id, tree.loadbalancer.provisioning_status
        if key in leaving:
            if key in applied:
                sent.append(translate(applied[key], {**materials, **confirmed.get(key, {})}))
            continue
        is_tried = key == only if only is not None else status.is_pending
        if is_tried and tree.loadbalancer.going:
            deleted.add(key)
        elif is_tried:
            current.add(key)
            sent.append(translate(tree, materials))
        elif status is ProvisioningStatus.ACTIVE:
            sent.append(translate(tree, materials))
        elif key in applied and (not tree.loadbalancer.going or only is not None):
            sent.append(translate(applied[key], {**materials, **confirmed.get(key, {})}))
    desired = Desired(
        loadbalancers=drain((*sent, *(part.loadbalancer for part in web)), drained),
        generation=generation,
        version=SECOND_VERSION,
        nodes=nodes,
    )
    return DevicePlan(
        desired=desired,
        current=frozenset(current),
        deleted=frozenset(deleted),
        web=tuple(web),
        materials=materials,
    )
