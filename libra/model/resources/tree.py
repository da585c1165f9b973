"""All records of one load balancer together: what a device is told is made of this."""

from dataclasses import dataclass, field

from libra.model.resources.listener import Listener
from libra.model.resources.loadbalancer import LoadBalancer
from libra.model.resources.member import Member
from libra.model.resources.monitor import HealthMonitor
from libra.model.resources.pool import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolTree:
    """A pool with its members, by creation and id, and its monitor."""

    pool: Pool
    members: tuple[Member, ...] = ()
    monitor: HealthMonitor | None = None


@dataclass(frozen=True, slots=True)
class PartIds:
    """The ids of a load balancer's listeners and pools, each by creation and id."""

    listeners: list[str] = field(default_factory=list)
    pools: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancerTree:
    """A load balancer with its listeners and pools, each by creation and id."""

    loadbalancer: LoadBalancer
    listeners: tuple[Listener, ...] = ()
    pools: tuple[PoolTree, ...] = ()

    @property
    def part_ids(self) -> PartIds:
        """In the same order."""
        return PartIds([item.id for item in self.listeners], [item.pool.id for item in self.pools])
