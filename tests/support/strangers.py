"""Servers that a storage URL can lead to by mistake or by malice: each answers one way, and records what came."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.support.ports import LOOPBACK

Answer = Callable[[socket.socket], None]


@dataclass
class Stranger:
    """What was sent to it, as far as it read."""

    port: int
    received: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """A storage URL that leads here."""
        return f"http://{LOOPBACK}:{self.port}/v1/AUTH_test"


@contextmanager
def stranger(answer: Answer) -> Iterator[Stranger]:
    """Reads a request's head and the beginning of its body, then answers; until the test is over."""
    listener = socket.create_server((LOOPBACK, 0))
    found = Stranger(listener.getsockname()[1])
    open_sockets: list[socket.socket] = []

    def serve(one: socket.socket) -> None:
        with suppress(OSError), one:
            found.received.append(one.recv(65536))
            answer(one)
            one.shutdown(socket.SHUT_WR)
            while one.recv(65536):  # closed with bytes unread, the connection would be reset
                pass

    def accept() -> None:
        with suppress(OSError):
            while True:
                one, _ = listener.accept()
                open_sockets.append(one)
                threading.Thread(target=serve, args=(one,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield found
    finally:
        for one in (listener, *open_sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def say(text: str) -> Answer:
    """One fixed answer."""
    return lambda one: one.sendall(text.encode())


def redirect_to(url: str) -> Answer:
    """With a long body, which nobody should read."""
    return say(
        f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {url}\r\nContent-Length: 100000000\r\n\r\nmoved"
    )


def drip(head: bytes, pause_seconds: float = 0.05) -> Answer:
    """A header that never ends, a byte at a time: each byte comes long before a timeout."""

    def answer(one: socket.socket) -> None:
        one.sendall(head)
        while True:
            one.sendall(b"x")
            time.sleep(pause_seconds)

    return answer


def pour(head: bytes) -> Answer:
    """A body without an end, as fast as it goes."""

    def answer(one: socket.socket) -> None:
        one.sendall(head)
        while True:
            one.sendall(b"x" * 65536)

    return answer
