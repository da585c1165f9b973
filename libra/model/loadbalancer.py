"""The load balancer, and what one device shall run."""

from dataclasses import dataclass

from libra.model.listener import Listener


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancer:
    """One customer's object. `id` is unique on a device; `name` is for people only."""

    id: str
    name: str | None = None
    listeners: tuple[Listener, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What a device shall run: the whole truth for its driver.

    Suspended load balancers keep their configuration and refuse new connections.
    """

    loadbalancers: tuple[LoadBalancer, ...] = ()
    suspended: bool = False

    @property
    def is_empty(self) -> bool:
        """True where nothing is configured."""
        return not self.loadbalancers
