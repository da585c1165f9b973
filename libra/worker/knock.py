"""Whether listeners with web services answer: a request through each, to a page that the proxy itself has."""

import socket
import ssl
from concurrent.futures import ThreadPoolExecutor

from libra.model.listener import Listener, Protocol
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.webservice import ALIVE

WITHIN_SECONDS = 1.0
MOST_AT_ONCE = 16
_EVERY = {None: "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
_REQUEST = f"GET {ALIVE} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()


def knock_all(desired: Desired) -> dict[str, bool]:
    """By the ids of the enabled listeners with services, or with nothing behind them.

    Takes a second at most for every 16 of them. Never raises.
    """
    if desired.suspended:
        return {}
    places = {
        listener.id: (_place(owner, listener), listener.tls is not None)
        for owner in desired.loadbalancers
        for listener in owner.listeners
        if _is_web(listener) and owner.enabled and listener.enabled
    }
    if not places:
        return {}
    with ThreadPoolExecutor(min(len(places), MOST_AT_ONCE), "knock") as pool:
        answers = pool.map(lambda item: _answers(*item), places.values())
        return dict(zip(places, answers, strict=True))


def _is_web(listener: Listener) -> bool:
    """Also one whose services are still to come: it answers 503."""
    return bool(listener.services) or (listener.protocol is Protocol.HTTP and not listener.pools)


def _place(owner: LoadBalancer, listener: Listener) -> tuple[str, int]:
    address = listener.bind_address or owner.address
    if address is None and listener.ip_version == 6:
        address = "::"
    return _EVERY.get(address, address or ""), listener.port


def _answers(place: tuple[str, int], tls: bool) -> bool:
    try:
        with socket.create_connection(place, WITHIN_SECONDS) as plain:
            return _speaks_tls(plain) if tls else _speaks_http(plain)
    except OSError:
        return False


def _speaks_http(connection: socket.socket) -> bool:
    connection.sendall(_REQUEST)
    start = b""
    while len(start) < len(b"HTTP/") and (block := connection.recv(1024)):
        start += block
    return start.startswith(b"HTTP/")


def _speaks_tls(plain: socket.socket) -> bool:
    """Whom it shows does not matter here; one that wants to see a certificate, or to speak another version, says so,
    which is an answer, too.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with context.wrap_socket(plain) as connection:
            return _speaks_http(connection)
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")
