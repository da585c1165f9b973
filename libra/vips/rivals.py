"""Asks the neighbours of this host who else answers for an address.

The questions are those that a host asks before it takes an address (RFC 5227, section 2.1.1; RFC 4861, section 4.3):
nobody's neighbour table changes by them. They want the capability CAP_NET_RAW.
"""

import ipaddress
import select
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Protocol

from libra.errors import DriverError
from libra.vips.announce import (
    BROADCAST,
    ETH_P_ARP,
    ETHERNET,
    NEIGHBOUR_ADVERTISEMENT,
    REPLY,
    REQUEST,
    TARGET_LINK_LAYER_ADDRESS,
)
from libra.vips.base import Address
from libra.vips.plan import Placed

ANSWER_SECONDS = 0.2  # neighbours are less than a millisecond away, and may be busy
NEIGHBOUR_SOLICITATION = 135  # RFC 4861, section 4.3
SOURCE_LINK_LAYER_ADDRESS = 1
_ARP = struct.Struct("!6s6sH HHBBH 6s4s6s4s")
_SOLICITED_NODE = int(ipaddress.IPv6Address("ff02::1:ff00:0"))


class Rivals(Protocol):
    """Finds other hosts that have an address of ours."""

    def find(self, placed: Iterable[Placed]) -> frozenset[Address]:
        """Those that somebody else answers for, within a moment; raises `DriverError`."""


class NetworkRivals:
    """By raw sockets on the interfaces themselves."""

    def find(self, placed: Iterable[Placed]) -> frozenset[Address]:
        """Takes `ANSWER_SECONDS`. Raises `DriverError`."""
        by_interface: dict[str, list[Address]] = {}
        for one in placed:
            by_interface.setdefault(one.interface, []).append(one.address)
        try:
            return frozenset(_ask(by_interface)) if by_interface else frozenset()
        except OSError as error:
            hint = "; the worker needs CAP_NET_RAW" if isinstance(error, PermissionError) else ""
            raise DriverError(f"cannot ask neighbours: {error.strerror}{hint}") from error


class NoRivals:
    """Asks nobody."""

    def find(self, placed: Iterable[Placed]) -> frozenset[Address]:  # noqa: ARG002
        """None."""
        return frozenset()


def build_probe(hardware: bytes, address: bytes) -> bytes:
    """An Ethernet frame to everybody: who has this address? It says nothing of the sender's own."""
    fixed = (ETHERNET, 0x0800, 6, 4, REQUEST)
    return _ARP.pack(BROADCAST, hardware, ETH_P_ARP, *fixed, hardware, bytes(4), bytes(6), address)


def parse_arp(frame: bytes, hardware: bytes) -> ipaddress.IPv4Address | None:
    """The address that a reply of another host claims."""
    if len(frame) < _ARP.size:
        return None
    _, _, kind, _, _, _, _, operation, sender, address, _, _ = _ARP.unpack_from(frame)
    if kind != ETH_P_ARP or operation != REPLY or sender == hardware:
        return None
    return ipaddress.IPv4Address(address)


def build_solicitation(hardware: bytes, address: bytes) -> bytes:
    """An ICMPv6 message; the kernel fills in its checksum."""
    option = struct.pack("!BB6s", SOURCE_LINK_LAYER_ADDRESS, 1, hardware)
    return struct.pack("!BBHI", NEIGHBOUR_SOLICITATION, 0, 0, 0) + address + option


def parse_advertisement(message: bytes, hardware: bytes) -> ipaddress.IPv6Address | None:
    """The address that an advertisement of another host claims; None also where it does not say whose it is."""
    if len(message) < 32 or message[0] != NEIGHBOUR_ADVERTISEMENT:
        return None
    kind, length = message[24], message[25]
    if kind != TARGET_LINK_LAYER_ADDRESS or length != 1 or message[26:32] == hardware:
        return None
    return ipaddress.IPv6Address(message[8:24])


def _ask(by_interface: dict[str, list[Address]]) -> Iterator[Address]:
    with ExitStack() as stack:
        asked: list[_AskedByArp | _AskedByIcmp] = []
        for interface, addresses in by_interface.items():
            raw = stack.enter_context(_raw(interface))
            *_, kind, hardware = raw.getsockname()
            if kind != ETHERNET or len(hardware) != 6:
                continue  # nobody to ask
            asked.append(_AskedByArp(raw, hardware, addresses))
            if any(address.version == 6 for address in addresses):
                icmp = stack.enter_context(_icmp(interface))
                asked.append(_AskedByIcmp(icmp, hardware, addresses, interface))
        yield from _listen(asked)


def _listen(asked: "list[_AskedByArp | _AskedByIcmp]") -> Iterator[Address]:
    sockets = {one.socket.fileno(): one for one in asked}
    poll = select.poll()
    for number in sockets:
        poll.register(number, select.POLLIN)
    until = time.monotonic() + ANSWER_SECONDS
    while (left := until - time.monotonic()) > 0:
        for number, _ in poll.poll(left * 1000):
            if (address := sockets[number].answer()) is not None:
                yield address


class _AskedByArp:
    def __init__(self, raw: socket.socket, hardware: bytes, addresses: list[Address]) -> None:
        self.socket, self._hardware = raw, hardware
        self._addresses = {one for one in addresses if one.version == 4}
        for address in self._addresses:
            raw.send(build_probe(hardware, address.packed))

    def answer(self) -> Address | None:
        address = parse_arp(self.socket.recv(2048), self._hardware)
        return address if address in self._addresses else None


class _AskedByIcmp:
    def __init__(
        self, icmp: socket.socket, hardware: bytes, addresses: list[Address], interface: str
    ) -> None:
        self.socket, self._hardware = icmp, hardware
        self._addresses = {one for one in addresses if one.version == 6}
        index = socket.if_nametoindex(interface)
        for address in self._addresses:
            group = ipaddress.IPv6Address(_SOLICITED_NODE | int(address) & 0xFFFFFF)
            question = build_solicitation(hardware, address.packed)
            icmp.sendto(question, (str(group), 0, 0, index))

    def answer(self) -> Address | None:
        address = parse_advertisement(self.socket.recv(2048), self._hardware)
        return address if address in self._addresses else None


def _raw(interface: str) -> socket.socket:
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
    raw.bind((interface, ETH_P_ARP))
    return raw


def _icmp(interface: str) -> socket.socket:
    icmp = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    # As with announcements: what might have come through a router is dropped. Nor shall we answer ourselves.
    icmp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    icmp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
    icmp.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    return icmp
