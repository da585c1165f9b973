"""The sockets that pings go through: two for all members. What comes back is hostile until it is recognised.

The kernel gives everybody whose group net.ipv4.ping_group_range names a socket for echo requests alone; else it takes
CAP_NET_RAW.
"""

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple, Protocol

from libra.drivers.haproxy.pinging.icmp import REPLY, V4, V6, build_request, parse_reply

_SOL_RAW, _ICMP_FILTER, _ICMP6_FILTER = 255, 1, 1
_BUFFER = 1 << 20  # bytes, as far as the host allows
_LONGEST = 512  # of an answer that can be one to ours
_FAMILIES = {V4: socket.AF_INET, V6: socket.AF_INET6}
_PROTOCOLS = {V4: socket.IPPROTO_ICMP, V6: socket.IPPROTO_ICMPV6}
_LOCAL = (errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.EINTR)  # the fault of this host
_NUMBER = struct.Struct("!Q")
_SECRET = 16  # bytes


class Reply(NamedTuple):
    """An answer to a ping of ours: its number, and who answered."""

    number: int
    address: str


class LocalFault(OSError):
    """A ping was not sent, which says nothing about whom it was for."""


class Link(Protocol):
    """Sends pings and receives answers; nothing of it waits."""

    def fileno(self) -> int:
        """For a selector."""

    def send(self, address: str, number: int) -> None:
        """Raises `LocalFault`, and another `OSError` where the address cannot be reached."""

    def receive(self) -> Iterator[Reply]:
        """What has come; what answers none of ours is left out."""

    def close(self) -> None:
        """Give the socket back."""


OpenLink = Callable[[int], Link]


def open_link(version: int) -> Link:
    """For that version of IP; raises `OSError` where this host allows neither kind of socket."""
    try:
        return PingSocket(version, socket.SOCK_DGRAM)
    except OSError as error:
        try:
            return PingSocket(version, socket.SOCK_RAW)
        except PermissionError:
            raise error from None


class PingSocket:
    """A secret in each ping tells answers to ours from everything else that arrives."""

    def __init__(self, version: int, kind: socket.SocketKind) -> None:
        self._version = version
        self._raw = kind is socket.SOCK_RAW
        self._identifier = int.from_bytes(os.urandom(2), "big")
        self._secret = os.urandom(_SECRET)
        self._socket = socket.socket(_FAMILIES[version], kind, _PROTOCOLS[version])
        self._socket.setblocking(False)
        with suppress(OSError):  # a small buffer is better than none
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        if self._raw:
            self._filter()

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    def send(self, address: str, number: int) -> None:
        """One echo request."""
        data = self._secret + _NUMBER.pack(number)
        packet = build_request(self._version, self._identifier, number, data)
        try:
            self._socket.sendto(packet, (address, 0))
        except OSError as error:
            if error.errno in _LOCAL:
                raise LocalFault(error.errno, str(error)) from error
            raise

    def receive(self) -> Iterator[Reply]:
        """Until there is nothing more."""
        while True:
            try:
                packet, source = self._socket.recvfrom(_LONGEST)
            except BlockingIOError:
                return
            except OSError:
                continue  # an error that somebody reported, which is read away by this
            data = parse_reply(self._version, packet, with_header=self._raw and self._version == V4)
            number = self._recognise(data) if data is not None else None
            if number is not None:
                yield Reply(number, str(source[0]))

    def close(self) -> None:
        """Give it back."""
        self._socket.close()

    def _recognise(self, data: bytes) -> int | None:
        if len(data) != _SECRET + _NUMBER.size or not data.startswith(self._secret):
            return None
        return int(_NUMBER.unpack_from(data, _SECRET)[0])

    def _filter(self) -> None:
        """Only echo replies wake us, or every packet of a router's would."""
        if self._version == V4:
            blocked = ~(1 << REPLY[V4]) & 0xFFFFFFFF
            self._socket.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", blocked))
            return
        words = [0xFFFFFFFF] * 8
        words[REPLY[V6] >> 5] &= ~(1 << (REPLY[V6] & 31))
        self._socket.setsockopt(_PROTOCOLS[V6], _ICMP6_FILTER, struct.pack("=8I", *words))
