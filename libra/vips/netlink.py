"""The kernel's addresses, by rtnetlink. The only home of pyroute2, which is loaded when it is first used."""

import errno
import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from libra.errors import DriverError
from libra.vips.plan import Placed

if TYPE_CHECKING:
    from pyroute2 import IPRoute

# linux/if_addr.h. Without it an IPv6 address is tentative for a second or two, and nothing can bind to it.
IFA_F_NODAD = 0x02


class Addresses(Protocol):
    """What the interfaces of this host have."""

    def present(self) -> frozenset[Placed]:
        """All of them; raises `DriverError`."""

    def add(self, placed: Placed) -> None:
        """No fault where it is there already; raises `DriverError`."""

    def remove(self, placed: Placed) -> None:
        """No fault where it is not there; raises `DriverError`."""


class KernelAddresses:
    """Each call opens a socket of its own, about a millisecond, so that none goes stale."""

    def present(self) -> frozenset[Placed]:
        """All of them; raises `DriverError`."""
        with _netlink("read the addresses of this host") as route:
            found = [
                (item["index"], item.get_attr("IFA_LOCAL") or item.get_attr("IFA_ADDRESS"), item)
                for item in route.get_addr()
            ]
        names = dict(socket.if_nameindex())
        return frozenset(
            Placed(names[index], ipaddress.ip_address(str(text)), int(item["prefixlen"]))
            for index, text, item in found
            if index in names and text
        )

    def add(self, placed: Placed) -> None:
        """Raises `DriverError`.

        An IPv6 address is made deprecated: it answers, but is not the source of what this host sends by itself.
        """
        extra = {"flags": IFA_F_NODAD, "preferred": 0} if placed.address.version == 6 else {}
        self._change("add", placed, extra, harmless=errno.EEXIST)

    def remove(self, placed: Placed) -> None:
        """Raises `DriverError`."""
        self._change("del", placed, {}, harmless=errno.EADDRNOTAVAIL)

    def _change(
        self, command: str, placed: Placed, extra: dict[str, int], *, harmless: int
    ) -> None:
        doing = "put" if command == "add" else "take"
        place = f"{'on' if command == 'add' else 'off'} {placed.interface}"
        with _netlink(f"{doing} {placed.address} {place}", harmless) as route:
            route.addr(
                command,
                index=socket.if_nametoindex(placed.interface),
                address=str(placed.address),
                prefixlen=placed.prefix,
                **extra,
            )


@contextmanager
def _netlink(what: str, harmless: int | None = None) -> Iterator["IPRoute"]:
    """A socket, and sentences for what the kernel refuses."""
    try:
        from pyroute2 import IPRoute
        from pyroute2.netlink.exceptions import NetlinkError
    except ImportError as error:
        raise DriverError(
            f"cannot {what}: pyroute2 is not installed (pip install 'libra[addresses]')"
        ) from error
    try:
        with IPRoute() as route:
            yield route
    except NetlinkError as error:
        if error.code != harmless:
            raise DriverError(f"cannot {what}: {_explain(error.code)}") from error
    except OSError as error:
        raise DriverError(f"cannot {what}: {_explain(error.errno or 0)}") from error


def _explain(code: int) -> str:
    words = os.strerror(code)
    if code in (errno.EPERM, errno.EACCES):
        return f"{words}; the worker needs the capability CAP_NET_ADMIN"
    if code in (errno.ENODEV, errno.ENXIO):
        return "there is no such interface"
    return words
