"""Addresses of a job server, found within a deadline."""

import socket
import threading
from typing import Any

from libra.jobs.gearman.deadline import Deadline

Address = tuple[socket.AddressFamily, Any]


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
