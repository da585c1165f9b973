"""Which addresses to put on and to take off: pure decisions."""

import ipaddress
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from libra.errors import AddressRefused
from libra.vips.base import Address

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, order=True)
class Placed:
    """An address on an interface. `prefix` is the length of its network's."""

    interface: str
    address: Address
    prefix: int

    @property
    def network(self) -> Network:
        """What can be reached through it."""
        return ipaddress.ip_network((self.address, self.prefix), strict=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a message may ask of this host: addresses of these networks, on this interface.

    `interface` None means the one whose own network holds the address.
    """

    networks: tuple[Network, ...]
    interface: str | None = None


def plan_holding(
    wanted: Iterable[Address], present: Iterable[Placed], policy: Policy
) -> dict[Address, str]:
    """What to put on, and on which interface; raises `AddressRefused` where the policy does not allow it.

    What is present is left alone, allowed or not: it is the host's own.
    """
    known = tuple(present)
    there = {placed.address for placed in known}
    missing = sorted(set(wanted) - there, key=lambda one: (one.version, int(one)))
    return {address: _choose(address, known, policy) for address in missing}


def plan_release(
    ours: Iterable[Placed], present: Iterable[Placed], wanted: Iterable[Address]
) -> tuple[Placed, ...]:
    """What to take off: put on by us, still there as we put it, and wanted no more."""
    keep = set(wanted)
    there = set(present)
    return tuple(placed for placed in ours if placed.address not in keep and placed in there)


def plan_asking(
    wanted: Iterable[Address], present: Iterable[Placed], ours: Iterable[Placed], policy: Policy
) -> tuple[Placed, ...]:
    """Where to ask for which: those that we put on, and those that we would, on their interface."""
    known, asked = tuple(present), set(wanted)
    found = [placed for placed in ours if placed.address in asked and placed in known]
    for address in asked - {placed.address for placed in known}:
        with suppress(AddressRefused):
            found.append(Placed(_choose(address, known, policy), address, address.max_prefixlen))
    return tuple(sorted(found, key=lambda one: (one.interface, one.address.version, one.address)))


def allowed_only(address: Address, networks: tuple[Network, ...]) -> None:
    """Raises `AddressRefused` where it is of none of these."""
    if not any(address in network for network in networks):
        allowed = ", ".join(map(str, networks)) or "none"
        raise AddressRefused(
            f"cannot take the address {address}: vip.networks does not allow it, only {allowed}"
        )


def _choose(address: Address, present: tuple[Placed, ...], policy: Policy) -> str:
    allowed_only(address, policy.networks)
    if policy.interface is not None:
        return policy.interface
    holding = [placed for placed in present if _is_neighbour(address, placed)]
    if not holding:
        raise AddressRefused(
            f"cannot take the address {address}: no interface of this host has an address of its network; "
            "name one in vip.interface"
        )
    return max(holding, key=lambda placed: placed.prefix).interface


def _is_neighbour(address: Address, placed: Placed) -> bool:
    return (
        address.version == placed.address.version
        and not placed.address.is_loopback
        and placed.prefix < address.max_prefixlen
        and address in placed.network
    )
