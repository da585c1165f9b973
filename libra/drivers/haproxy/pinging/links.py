"""The links for both versions of IP, opened when one is needed."""

from collections.abc import Iterator
from contextlib import suppress

from libra.drivers.haproxy.pinging.sockets import Link, OpenLink, Reply
from libra.drivers.haproxy.pinging.targets import version_of
from libra.errors import DriverError

_HINT = "; let its group in (sysctl -w net.ipv4.ping_group_range='0 2147483647'), or give it the capability CAP_NET_RAW"


class Links:
    """Several threads may open; one sends and receives."""

    def __init__(self, open_link: OpenLink) -> None:
        self._open_link = open_link
        self._links: dict[int, Link] = {}

    def open(self, version: int) -> Link:
        """The link for that version; raises `DriverError` with what a person can do about it."""
        link = self._links.get(version)
        if link is None:
            try:
                link = self._links.setdefault(version, self._open_link(version))
            except PermissionError as error:
                raise DriverError(
                    f"cannot ping: this host lets the worker ping nobody by IPv{version}"
                    f" ({error.strerror}){_HINT}"
                ) from error
            except OSError as error:
                raise DriverError(f"cannot ping by IPv{version}: {error.strerror}") from error
        return link

    def all(self) -> list[Link]:
        """Those that are open."""
        return [*self._links.values()]

    def send(self, address: str, number: int) -> None:
        """Raises `DriverError` where there is no link for it, and what `Link.send` does."""
        version = version_of(address)
        if version is None:
            raise OSError(f"'{address}' is no address")
        self.open(version).send(address, number)

    def receive(self) -> Iterator[Reply]:
        """What has come on all of them."""
        for link in self.all():
            yield from link.receive()

    def close(self) -> None:
        """Give them back; what is sent afterwards opens them anew."""
        links, self._links = self._links, {}
        for link in links.values():
            with suppress(OSError):
                link.close()
