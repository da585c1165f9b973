"""TCP sockets: addresses found within a deadline, connections made within one, and the options all of them need."""

import socket
import threading
from typing import Any

from libra.jobs.gearman.deadline import Deadline

Address = tuple[socket.AddressFamily, Any]

KEEPALIVE_SECONDS = 5
KEEPALIVE_INTERVAL_SECONDS = 2
KEEPALIVE_PROBES = 3
UNACKNOWLEDGED_MILLISECONDS = 11_000


def tune(sock: socket.socket) -> None:
    """Without TCP_NODELAY a job takes 44 ms; without the rest a cut link is noticed after a quarter of an hour."""
    tcp = socket.IPPROTO_TCP
    sock.setsockopt(tcp, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(tcp, socket.TCP_KEEPIDLE, KEEPALIVE_SECONDS)
    sock.setsockopt(tcp, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SECONDS)
    sock.setsockopt(tcp, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
    # Keepalive is silent while sent data is unacknowledged; this bounds that wait.
    sock.setsockopt(tcp, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MILLISECONDS)


def connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """A tuned connection to the first address that takes it. Raises OSError, TimeoutError after the deadline."""
    addresses = resolve(host, port, deadline)
    fault: OSError = OSError("the name has no address")
    for number, (family, address) in enumerate(addresses):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            tune(sock)
            # An address that drops everything must leave time for the next one.
            sock.settimeout(max(0.001, deadline.left() / (len(addresses) - number)))
            sock.connect(address)
        except OSError as error:
            sock.close()
            fault = error
        else:
            return sock
    raise fault


def resolve(host: str, port: int, deadline: Deadline) -> list[Address]:
    """Every address of a server. Raises OSError, TimeoutError after the deadline.

    A name server that does not answer keeps `getaddrinfo` for half a minute, and nothing can interrupt it: names
    are looked up in a thread that is left behind then.
    """
    try:
        return _look_up(host, port, socket.AI_NUMERICHOST)
    except socket.gaierror:
        return _look_up_beside(host, port, deadline)


def _look_up(host: str, port: int, flags: int = 0) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, address) for family, _kind, _protocol, _name, address in found]


def _look_up_beside(host: str, port: int, deadline: Deadline) -> list[Address]:
    found: list[Address] = []
    faults: list[OSError] = []

    def look_up() -> None:
        try:
            found.extend(_look_up(host, port))
        except OSError as error:
            faults.append(error)

    thread = threading.Thread(target=look_up, name=f"resolve {host}", daemon=True)
    thread.start()
    thread.join(deadline.left())
    if thread.is_alive():
        raise TimeoutError("the name is not resolved in time")
    if faults:
        raise faults[0]
    return found
