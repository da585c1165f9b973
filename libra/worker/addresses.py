"""Which addresses a host must have for what it shall run."""

from libra.model.loadbalancer import Desired
from libra.vips.base import Address, parse_address


def addresses_of(desired: Desired) -> frozenset[Address]:
    """Those of load balancers and listeners that can be put on an interface; a suspended one keeps its own."""
    texts = {item.address for item in desired.loadbalancers} | {
        listener.bind_address for item in desired.loadbalancers for listener in item.listeners
    }
    return frozenset(address for address in map(parse_address, texts) if address is not None)
