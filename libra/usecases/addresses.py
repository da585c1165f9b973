"""Addresses for load balancers, from the configured pools."""

import ipaddress
from collections.abc import Iterator
from itertools import islice

from libra.errors import AlreadyExists, Conflict, Invalid, PoolExhausted
from libra.messages.addresses import parse_ip_address
from libra.storage.base import UnitOfWork
from libra.usecases.services import AddressPool

LARGEST = 1 << 20  # addresses of one range that are looked at

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def find_pool(pools: tuple[AddressPool, ...], wanted: str | None) -> AddressPool:
    """By id or name; the first where none is wanted. Raises `Invalid`."""
    if wanted is None:
        return pools[0]
    for pool in pools:
        if wanted in (pool.id, pool.name):
            return pool
    raise Invalid(f"Subnet {wanted} not found: it is none of the configured address pools")


def allocate(unit: UnitOfWork, pool: AddressPool, loadbalancer_id: str, wanted: str | None) -> str:
    """The address that is wanted, or the first free one; it is the load balancer's from now on.

    Raises `Invalid` where it is not of this pool, `Conflict` where another has it, `PoolExhausted`.
    """
    if wanted is not None:
        return _allocate_one(unit, pool, loadbalancer_id, wanted)
    unit.hold(f"addresses {pool.name}")
    taken = unit.addresses.taken(pool.name)
    for address in every_address(pool):
        if address not in taken and unit.addresses.owner(address) is None:
            unit.addresses.take(address, pool.name, loadbalancer_id)
            return address
    raise PoolExhausted(f"cannot give an address: every one of the pool '{pool.name}' is taken")


def _allocate_one(unit: UnitOfWork, pool: AddressPool, loadbalancer_id: str, wanted: str) -> str:
    address = parse_ip_address(wanted)
    if address is None or not contains(pool, address):
        raise Invalid(
            f"Invalid input for field/attribute vip_address. Value: '{wanted[:64]}'. "
            f"It is no address of the pool '{pool.name}'"
        )
    try:
        unit.addresses.take(address, pool.name, loadbalancer_id)
    except AlreadyExists:
        raise Conflict(f"cannot use the address {address}: another load balancer has it") from None
    return address


def contains(pool: AddressPool, address: str) -> bool:
    """Whether it is one of the pool's."""
    number = ipaddress.ip_address(address)
    return any(
        number.version == first.version and int(first) <= int(number) <= int(last)
        for first, last in map(bounds, pool.ranges)
    )


def every_address(pool: AddressPool) -> Iterator[str]:
    """In order; of a range that is larger than a person could want only the first million."""
    for first, last in map(bounds, pool.ranges):
        kind = type(first)
        for number in islice(range(int(first), int(last) + 1), LARGEST):
            yield str(kind(number))


def bounds(text: str) -> tuple[Address, Address]:
    """First and last; a network of more than two IPv4 addresses has two that nobody can have."""
    low, dash, high = text.partition("-")
    if dash:
        return ipaddress.ip_address(low), ipaddress.ip_address(high)
    network = ipaddress.ip_network(text)
    if network.version == 4 and network.num_addresses > 2:
        return network[1], network[-2]
    return network[0], network[-1]
