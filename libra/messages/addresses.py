"""Addresses as senders write them, in one canonical form each, so that equal targets are equal texts."""

import ipaddress
import re

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_HOST_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# What inet_aton takes for a number: such a name would be resolved to an address nobody wrote.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
MAX_HOST_NAME = 253
_METADATA = ("169.254.169.254", "fd00:ec2::254")


def parse_ip_address(text: str) -> str | None:
    """The canonical form of an IP address without a zone; None where it is none.

    An IPv4 address mapped into IPv6 is that IPv4 address: the kernel connects to the same place.
    """
    if _IPV4.fullmatch(text):
        return text
    if ":" not in text:
        return None
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return None
    if address.scope_id is not None:
        return None
    return str(address.ipv4_mapped or address)


def parse_host_name(text: str) -> str | None:
    """A host name in lower case and without its last dot; None where it is none.

    RFC 1123 labels, with underscores as resolvers take them. The last label is never a number, for that is a
    mistyped address ("10.0.0.256", "127.1", "0x7f.1").
    """
    if not text.isascii():  # lower() turns the Kelvin sign into a k
        return None
    name = text.lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > MAX_HOST_NAME or not all(map(_HOST_LABEL.fullmatch, labels)):
        return None
    return None if _NUMBER.fullmatch(labels[-1]) else name


def is_host_name(text: str) -> bool:
    """True for what `parse_host_name` takes."""
    return parse_host_name(text) is not None


def is_wildcard(address: str) -> bool:
    """True for the addresses that mean "all of them": good to listen on, never to connect to."""
    return address in ("0.0.0.0", "::")  # noqa: S104


def is_group(address: str) -> bool:
    """True for a multicast or broadcast address, and for 0.x.x.x: no single host can have one."""
    if ":" in address:
        return address.startswith("ff") and len(address.partition(":")[0]) == 4
    if not _IPV4.fullmatch(address) or address == "0.0.0.0":  # noqa: S104
        return False
    return int(address.partition(".")[0]) in (0, *range(224, 240)) or address == "255.255.255.255"


def is_metadata(address: str) -> bool:
    """True where clouds tell their machines what only those may know: not for a customer to publish."""
    return address in _METADATA
