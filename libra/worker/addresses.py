"""Which addresses a host must have for what it shall run."""

from dataclasses import replace

from libra.model.loadbalancer import Desired, LoadBalancer
from libra.vips.base import Address, parse_address


def addresses_of(desired: Desired) -> frozenset[Address]:
    """Those of load balancers and listeners that can be put on an interface; a suspended one keeps its own."""
    texts = {item.address for item in desired.loadbalancers} | {
        listener.bind_address for item in desired.loadbalancers for listener in item.listeners
    }
    return frozenset(address for address in map(parse_address, texts) if address is not None)


def without(desired: Desired, addresses: frozenset[Address]) -> Desired:
    """What is left of it on a host that does not have these."""
    if not addresses:
        return desired
    left = (_without(item, addresses) for item in desired.loadbalancers)
    return replace(desired, loadbalancers=tuple(item for item in left if item.listeners))


def _without(loadbalancer: LoadBalancer, addresses: frozenset[Address]) -> LoadBalancer:
    if parse_address(loadbalancer.address) in addresses:
        return replace(loadbalancer, listeners=())
    listeners = tuple(
        listener
        for listener in loadbalancer.listeners
        if parse_address(listener.bind_address) not in addresses
    )
    return replace(loadbalancer, listeners=listeners)
