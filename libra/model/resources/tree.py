"""All records of one load balancer together: what a device is told is made of this."""

from dataclasses import dataclass

from libra.model.resources.l7policy import L7Policy, L7Rule
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTree:
    """A policy with its rules, by creation and id."""

    policy: L7Policy
    rules: tuple[L7Rule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancerTree:
    """A load balancer with its listeners, pools and policies, each by creation and id."""

    loadbalancer: LoadBalancer
    listeners: tuple[Listener, ...] = ()
    pools: tuple[PoolTree, ...] = ()
    policies: tuple[PolicyTree, ...] = ()
