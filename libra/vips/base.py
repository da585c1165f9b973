"""The interface between the worker and what keeps addresses. Others add adapters by the entry point `libra.vips`."""

import ipaddress
from abc import ABC, abstractmethod
from typing import ClassVar

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class VipAdapter(ABC):
    """Keeps the addresses of load balancers at this host. One thread at a time.

    An entry point names a factory `create_vips(settings: Settings) -> VipAdapter`. Addresses that the host has anyway,
    whoever put them there, are neither changed nor ever taken off.
    """

    name: ClassVar[str]

    @abstractmethod
    def hold(self, wanted: frozenset[Address]) -> None:
        """Have these, and everything that is held already; the host answers for them when it returns.

        Idempotent. Raises `DriverError`, and then has taken off again what it put on.
        """

    @abstractmethod
    def release(self, wanted: frozenset[Address]) -> None:
        """Take off what this adapter put on and is none of these. Never raises: what stays is tried again later."""

    @abstractmethod
    def preview(self, wanted: frozenset[Address]) -> tuple[str, ...]:
        """What both would do, a sentence each. Raises `DriverError` where `hold` is known to fail."""

    def rivals(self, wanted: frozenset[Address]) -> frozenset[Address]:  # noqa: ARG002
        """Which of these another host answers for, as far as can be told; this host's own ones are none.

        Asked several times a second where there is doubt, from a thread of its own. Raises `DriverError`.
        """
        return frozenset()

    def announce(self) -> None:  # noqa: B027 - not every network wants to be told
        """Called every few seconds: tell neighbours once more of what is new. Never raises."""


def parse_address(text: str | None) -> Address | None:
    """An address that can be put on an interface; None for everything else, as names, wildcards and loopback."""
    try:
        address = ipaddress.ip_address(text or "")
    except ValueError:
        return None
    local = address.is_loopback or address.is_link_local
    return None if local or address.is_unspecified or address.is_multicast else address
