"""Tells neighbours where an address is now: gratuitous ARP (RFC 5227) and unsolicited neighbour advertisements.

Both want the capability CAP_NET_RAW.
"""

import ipaddress
import socket
import struct
from typing import Protocol

from libra.errors import DriverError
from libra.vips.plan import Placed

ETH_P_ARP = 0x0806
BROADCAST = b"\xff" * 6
ETHERNET = 1  # RFC 826: the hardware type
REQUEST, REPLY = 1, 2
ALL_NODES = "ff02::1"
NEIGHBOUR_ADVERTISEMENT = 136  # RFC 4861, section 4.4
OVERRIDE = 0x20000000
TARGET_LINK_LAYER_ADDRESS = 2


class Announcer(Protocol):
    """Sends one announcement."""

    def announce(self, placed: Placed) -> None:
        """Raises `DriverError`."""


class NetworkAnnouncer:
    """By raw sockets on the interface itself."""

    def announce(self, placed: Placed) -> None:
        """Raises `DriverError`."""
        send = _send_arp if placed.address.version == 4 else _send_advertisement
        try:
            send(placed.interface, placed.address.packed)
        except OSError as error:
            hint = "; the worker needs CAP_NET_RAW" if isinstance(error, PermissionError) else ""
            raise DriverError(
                f"cannot announce {placed.address} on {placed.interface}: {error.strerror}{hint}"
            ) from error


def build_arp(hardware: bytes, address: bytes, operation: int) -> bytes:
    """An Ethernet frame to everybody, in which sender and target are the same address."""
    header = struct.pack("!6s6sH", BROADCAST, hardware, ETH_P_ARP)
    target = hardware if operation == REPLY else b"\x00" * 6
    fixed = struct.pack("!HHBBH", ETHERNET, 0x0800, len(hardware), len(address), operation)
    return header + fixed + hardware + address + target + address


def build_advertisement(hardware: bytes, address: bytes) -> bytes:
    """An ICMPv6 message; the kernel fills in its checksum."""
    option = struct.pack("!BB6s", TARGET_LINK_LAYER_ADDRESS, 1, hardware)
    return struct.pack("!BBHI", NEIGHBOUR_ADVERTISEMENT, 0, 0, OVERRIDE) + address + option


def _send_arp(interface: str, address: bytes) -> None:
    """Both kinds: some neighbours only heed requests, others only replies."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP)) as raw:
        raw.bind((interface, ETH_P_ARP))
        hardware = _ethernet(raw)
        if hardware is not None:
            for operation in (REQUEST, REPLY):
                raw.send(build_arp(hardware, address, operation))


def _send_advertisement(interface: str, address: bytes) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP)) as raw:
        raw.bind((interface, ETH_P_ARP))
        hardware = _ethernet(raw)
    if hardware is None:
        return
    index = socket.if_nametoindex(interface)
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as icmp:
        # A neighbour drops an advertisement with another hop limit: it might have come through a router.
        icmp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        icmp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        icmp.bind((str(ipaddress.IPv6Address(address)), 0, 0, 0))
        icmp.sendto(build_advertisement(hardware, address), (ALL_NODES, 0, 0, index))


def _ethernet(raw: socket.socket) -> bytes | None:
    """The interface's own hardware address; None where it is no Ethernet, and there is nobody to tell."""
    _, _, _, kind, hardware = raw.getsockname()
    return hardware if kind == ETHERNET and len(hardware) == 6 else None
