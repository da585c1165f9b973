"""Address pools as the subnets and networks of Octavia's clients, with as much of Neutron's fields as fits."""

import ipaddress
from typing import Any

from libra.usecases.addresses import Address, bounds
from libra.usecases.services import AddressPool

Json = dict[str, Any]


def show_subnet(pool: AddressPool) -> Json:
    """`cidr` is the smallest network that has all of its ranges; there is none where devices use their own address."""
    every = [bounds(text) for text in pool.ranges]
    version = every[0][0].version if every else 4
    ranges = [(first, last) for first, last in every if first.version == version]
    return {
        "id": pool.id,
        "name": pool.name,
        "network_id": pool.id,
        "ip_version": version,
        "cidr": _cidr([address for pair in ranges for address in pair]) if ranges else None,
        "allocation_pools": [{"start": str(first), "end": str(last)} for first, last in ranges],
        "gateway_ip": None,
        "enable_dhcp": False,
    }


def show_network(pool: AddressPool) -> Json:
    """Everybody's, with the one subnet."""
    return {
        "id": pool.id,
        "name": pool.name,
        "subnets": [pool.id],
        "status": "ACTIVE",
        "admin_state_up": True,
        "shared": True,
    }


def _cidr(addresses: list[Address]) -> str:
    network = ipaddress.ip_network(min(addresses, key=int))
    last = max(addresses, key=int)
    while last not in network:
        network = network.supernet()
    return str(network)
