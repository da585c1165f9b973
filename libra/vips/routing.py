"""Which addresses are this host's own, as its kernel sees that."""

import socket

from libra.vips.base import Address

DISCARD = 9  # a port; nothing is sent


def source_towards(address: Address) -> str:
    """Which of the host's addresses the kernel would send from; empty where there is no way. Nothing is sent."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), DISCARD))
            return str(probe.getsockname()[0])
    except OSError:
        return ""


def has(address: Address) -> bool:
    """Whether the host has it: what goes there comes from there."""
    return source_towards(address) == str(address)
