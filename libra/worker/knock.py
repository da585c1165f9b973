"""Whether listeners with web services answer: a request through each, to a page that the proxy itself has."""

import socket
import ssl
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from libra.model.listener import Listener
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.statistics import ListenerStatus, LoadBalancerStatistics
from libra.model.webservice import ALIVE
from libra.vips.base import parse_address
from libra.vips.routing import has

WITHIN_SECONDS = 1.0
MOST_AT_ONCE = 32
_EVERY = {None: "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
_REQUEST = f"GET {ALIVE} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Door:
    """Where to knock. `turns_away`: whom it does not know it lets in and out again, which is an answer, too."""

    address: str
    port: int
    tls: bool
    turns_away: bool


def knock_all(desired: Desired, listening: Collection[str]) -> dict[str, bool]:
    """By the ids of the enabled listeners with services, or with services to come.

    One on an address that another host has now, as hosts that share it arrange that, cannot be asked: that it is among
    those of which the proxy says that they listen has to do. Takes a second at most for all of them; who was not asked
    by then did not answer. Never raises.
    """
    if desired.suspended:
        return {}
    doors = {
        listener.id: _door(owner, listener)
        for owner in desired.loadbalancers
        for listener in owner.listeners
        if listener.services is not None and owner.enabled and listener.enabled
    }
    elsewhere = {identity for identity, door in doors.items() if _is_elsewhere(door)}
    told = {identity: identity in listening for identity in elsewhere}
    here = {identity: door for identity, door in doors.items() if identity not in elsewhere}
    return told | _knock(here) if here else told


def listening_ones(statistics: Sequence[LoadBalancerStatistics]) -> frozenset[str]:
    """The ids of the listeners that the proxy does not call stopped."""
    listeners = (listener for item in statistics for listener in item.listeners)
    return frozenset(one.id for one in listeners if one.status is not ListenerStatus.STOPPED)


def _knock(doors: dict[str, _Door]) -> dict[str, bool]:
    until = time.monotonic() + WITHIN_SECONDS
    context = _undemanding()
    with ThreadPoolExecutor(min(len(doors), MOST_AT_ONCE), "knock") as pool:
        answers = pool.map(lambda door: _answers(door, context, until), doors.values())
        return dict(zip(doors, answers, strict=True))


def _door(owner: LoadBalancer, listener: Listener) -> _Door:
    address = listener.bind_address or owner.address
    if address is None and listener.ip_version == 6:
        address = "::"
    return _Door(
        address=_EVERY.get(address, address or ""),
        port=listener.port,
        tls=listener.tls is not None,
        turns_away=bool(listener.allowed_cidrs),
    )


def _is_elsewhere(door: _Door) -> bool:
    address = parse_address(door.address)
    return address is not None and not has(address)


def _undemanding() -> ssl.SSLContext:
    """Whom it is shown does not matter here."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _answers(door: _Door, context: ssl.SSLContext, until: float) -> bool:
    try:
        with (
            socket.create_connection((door.address, door.port), _left(until)) as plain,
            _opened(plain, door, context, until) as connection,
        ):
            return _speaks_http(connection, until) or door.turns_away
    except ssl.SSLError as error:
        # It wants to see a certificate, or to speak another version, and says so.
        return "ALERT" in (error.reason or "") or door.turns_away
    except (ConnectionResetError, BrokenPipeError):
        return door.turns_away
    except OSError:
        return False


def _opened(
    plain: socket.socket, door: _Door, context: ssl.SSLContext, until: float
) -> socket.socket:
    plain.settimeout(_left(until))
    return context.wrap_socket(plain) if door.tls else plain


def _speaks_http(connection: socket.socket, until: float) -> bool:
    connection.sendall(_REQUEST)
    start = b""
    while len(start) < len(b"HTTP/") and (block := _receive(connection, until)):
        start += block
    return start.startswith(b"HTTP/")


def _receive(connection: socket.socket, until: float) -> bytes:
    connection.settimeout(_left(until))
    return connection.recv(1024)


def _left(until: float) -> float:
    """Raises `TimeoutError` where it is none; 0 would mean not to wait."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
