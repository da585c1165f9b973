"""The load balancer, and what one device shall run."""

from dataclasses import dataclass

from libra.model.listener import Listener
from libra.model.nodestatus import ReportedNode
from libra.model.pool import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancer:
    """One customer's object. `id` is unique on a device; `name` is for people only.

    `address` is its own, where it has one. Listeners may share a pool, which is the same object then.
    """

    id: str
    name: str | None = None
    enabled: bool = True
    address: str | None = None
    listeners: tuple[Listener, ...]

    @property
    def pools(self) -> tuple[Pool, ...]:
        """Those that its listeners send to, each once, in their order."""
        pools = (pool for listener in self.listeners for pool in listener.pools)
        return tuple({pool.id: pool for pool in pools}.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What a device shall run: the whole truth for its driver.

    Suspended load balancers keep their configuration and refuse new connections. `generation` counts what a controller
    asked for, 0 where none does; `version` is that of the message which it came by. `nodes` are those whose health a
    device with a health reporter reports; None where it was told of none.
    """

    loadbalancers: tuple[LoadBalancer, ...] = ()
    suspended: bool = False
    generation: int = 0
    version: str = "1.0"
    nodes: tuple[ReportedNode, ...] | None = None

    @property
    def is_empty(self) -> bool:
        """True where nothing is configured."""
        return not self.loadbalancers
