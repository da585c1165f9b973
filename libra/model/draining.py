"""What an offline node means for those who send traffic to it: its members drain, whatever their owners want. Pure."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from libra.model.listener import Listener
from libra.model.loadbalancer import LoadBalancer
from libra.model.nodestatus import Node
from libra.model.policy import Policy
from libra.model.pool import Condition, Member, Pool
from libra.model.webservice import ReverseProxy, WebService

Place = tuple[str, int | None]
"""A canonical address, and a port; None for every port."""
Drained = frozenset[Place]
NOTHING: Drained = frozenset()


@lru_cache(maxsize=4096)
def canonical_address(text: str) -> str:
    """The one spelling of an IP address or a host name; IPv4 mapped into IPv6 is IPv4."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text.lower().removesuffix(".")
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def drained_by(nodes: Iterable[Node]) -> Drained:
    """The places of those that are offline."""
    return frozenset(
        (canonical_address(node.address), node.port)
        for node in nodes
        if node.address and not node.is_online
    )


def is_at(address: str, port: int, places: Drained) -> bool:
    """Whether a member there is at one of these places."""
    if not places:
        return False
    where = canonical_address(address)
    return (where, None) in places or (where, port) in places


def drain(loadbalancers: Sequence[LoadBalancer], places: Drained) -> tuple[LoadBalancer, ...]:
    """The same ones, where members at these places take nothing new. What has no such member is the same object."""
    if not places:
        return tuple(loadbalancers)
    return tuple(_drain_one(item, places) for item in loadbalancers)


def _drain_one(loadbalancer: LoadBalancer, places: Drained) -> LoadBalancer:
    """A pool that several listeners share stays one object."""
    drained = {pool.id: _drain_pool(pool, places) for pool in loadbalancer.pools}
    if all(drained[pool.id] is pool for pool in loadbalancer.pools):
        return loadbalancer
    return replace(
        loadbalancer,
        listeners=tuple(_with_pools(item, drained) for item in loadbalancer.listeners),
    )


def _drain_pool(pool: Pool, places: Drained) -> Pool:
    members = tuple(_drain_member(item, places) for item in pool.members)
    if all(one is other for one, other in zip(members, pool.members, strict=True)):
        return pool
    return replace(pool, members=members)


def _drain_member(member: Member, places: Drained) -> Member:
    """One that is switched off stays so."""
    if member.condition is not Condition.ENABLED or not is_at(member.address, member.port, places):
        return member
    return replace(member, condition=Condition.DRAINING)


def _with_pools(listener: Listener, drained: dict[str, Pool]) -> Listener:
    services = listener.services
    return replace(
        listener,
        pool=drained[listener.pool.id] if listener.pool is not None else None,
        policies=tuple(_with_policy(item, drained) for item in listener.policies),
        services=None
        if services is None
        else tuple(_with_service(item, drained) for item in services),
    )


def _with_policy(policy: Policy, drained: dict[str, Pool]) -> Policy:
    return policy if policy.pool is None else replace(policy, pool=drained[policy.pool.id])


def _with_service(service: WebService, drained: dict[str, Pool]) -> WebService:
    if not isinstance(service, ReverseProxy):
        return service
    return replace(service, pool=drained[service.pool.id])
