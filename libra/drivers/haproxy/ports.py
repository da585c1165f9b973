"""Ports to listen on: whether they can be had, before HAProxy tries.

HAProxy binds with SO_REUSEPORT, so where another program of the same user does so too both start without a word and
share the connections.
"""

import errno
import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from libra.drivers.haproxy.waiting import Deadline, wait_for
from libra.errors import DriverError

_ANY = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
_BIND = re.compile(r"\s+bind\s+(?:ipv[46]@)?(\S*?):([0-9]+)(?:\s|$)(.*)")
SHARED = "  # shared"
"""Behind a `bind` of which others may have the port, too."""
_SECTION = re.compile(r"[a-z]")
_LISTENING = "0A"  # the state in /proc/net/tcp
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_SETTLING = timedelta(
    seconds=1
)  # an old process lets its ports go moments after the new one serves


@dataclass(frozen=True, slots=True, order=True)
class Bind:
    """An address and a port; `both` where an IPv6 one takes IPv4, too."""

    host: str
    port: int
    both: bool = False

    def __str__(self) -> str:
        where = "every address" if self.host in _ANY else self.host
        return f"{where} port {self.port}"


def parse_binds(text: str, *, disabled: bool = False, shared: bool = False) -> frozenset[Bind]:
    """What a configuration of libra's listens on; disabled sections do not, and what is shared does not count.

    `disabled`: those too, for one that was disabled at runtime keeps its port. `shared`: these too, which are held.
    """
    binds: set[Bind] = set()
    section: set[Bind] = set()
    for line in text.splitlines():
        if _SECTION.match(line):
            section = set()
        elif line.strip() == "disabled" and not disabled:
            binds -= section
        elif (match := _BIND.match(line)) and (shared or not line.endswith(SHARED)):
            bind = Bind(_host(match[1]), int(match[2]), both="v4v6" in match[3].split())
            section.add(bind)
            binds.add(bind)
    return frozenset(binds)


def _host(text: str) -> str:
    return text.strip("[]").replace("*", "") or "0.0.0.0"  # noqa: S104 - as HAProxy reads it


def ensure_free(wanted: frozenset[Bind], held: Iterable[Bind]) -> None:
    """Raises `DriverError` for the first that cannot be had; what `held` has is HAProxy's own already.

    A HAProxy that finds out by itself tries for two seconds, in which the old process does not listen.
    """
    ours = frozenset(held)
    for bind in sorted(wanted - ours):
        why = (
            _why_shared(bind, ours)
            if any(overlap(bind, other) for other in ours)
            else _why_taken(bind)
        )
        if why:
            raise DriverError(f"cannot listen on {bind}: {why}")


def overlap(one: Bind, other: Bind) -> bool:
    """Whether one process could not have both beside another that has one of them."""
    same_host = one.host == other.host or one.host in _ANY or other.host in _ANY
    return one.port == other.port and same_host


def _why_shared(bind: Bind, ours: frozenset[Bind]) -> str | None:
    """One that overlaps with ours cannot be tried; but whoever listens where ours do not is somebody else."""
    known = {(other.host, other.port) for other in ours}

    def is_free() -> bool | None:
        others = (other for other in _load_all_listening() if (other.host, other.port) not in known)
        return None if any(_conflict(bind, other) for other in others) else True

    if wait_for(is_free, Deadline(_SETTLING)):
        return None
    return _WHY[errno.EADDRINUSE]


def _conflict(bind: Bind, listening: Bind) -> bool:
    """Whether that is certain; the tables do not tell whether a listener on `::` takes IPv4, too."""
    same_kind = (":" in bind.host) == (":" in listening.host)
    return overlap(bind, listening) and (same_kind or bind.both)


def _why_taken(bind: Bind) -> str | None:
    deadline = Deadline(_SETTLING)
    free = wait_for(lambda: True if _probe(bind) != errno.EADDRINUSE else None, deadline)
    return _explain(bind, errno.EADDRINUSE if free is None else _probe(bind))


def _explain(bind: Bind, fault: int) -> str | None:
    if fault == errno.EACCES and _is_listening(bind):
        fault = errno.EADDRINUSE
    return _WHY.get(fault)


# EACCES alone is no fault here: HAProxy may have been started with more rights than the worker has.
_WHY = {
    errno.EADDRINUSE: "another program has it",
    errno.EADDRNOTAVAIL: "this host has no such address",
    errno.EAFNOSUPPORT: "this host has no such kind of address",
}


def _probe(bind: Bind) -> int:
    """The error of binding without SO_REUSEPORT, 0 where it works. Nothing listens, so no client is caught."""
    family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # else connections that a former process closed a minute ago would count
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(not bind.both))
            probe.bind((bind.host, bind.port))
    except OSError as error:
        return error.errno or 0
    return 0


def _is_listening(bind: Bind) -> bool:
    """Whether anybody listens there, from the kernel's tables, which everybody may read."""
    return any(overlap(bind, other) for other in _load_all_listening())


def _load_all_listening() -> set[Bind]:
    return {entry for table in _TABLES for entry in _load_listening(table)}


def _load_listening(table: Path) -> set[Bind]:
    try:
        return parse_listening(table.read_text())
    except OSError:
        return set()


def parse_listening(table: str) -> set[Bind]:
    """The listening sockets of /proc/net/tcp or tcp6."""
    rows = [line.split() for line in table.splitlines()[1:]]
    return {_parse_local(row[1]) for row in rows if row[3] == _LISTENING}


def _parse_local(text: str) -> Bind:
    """As "0100007F:1F90": words in the machine's byte order, and the port."""
    address, port = text.split(":")
    packed = bytes.fromhex(address)
    words = [packed[i : i + 4][::-1] for i in range(0, len(packed), 4)]
    return Bind(str(ipaddress.ip_address(b"".join(words))), int(port, 16))
