"""Clients that send requests as fast as they can, or idly, and count every one that fails."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Self

from tests.support.ports import LOOPBACK

TIMEOUT = 15.0  # many tests may run beside this one
REQUEST = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
LAST_REQUEST = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"


class Load:
    """Requests to one port until the block ends: `with Load(port) as load: ...; load.failures`.

    `keep_alive` clients use their connection until the server closes it the polite way, `idle` ones pause between
    requests, `short` ones connect for each request, `tcp` ones hold one connection to an echo server on `tcp_port`.
    """

    def __init__(
        self,
        port: int,
        *,
        keep_alive: int = 2,
        idle: int = 10,
        short: int = 2,
        tcp: int = 0,
        tcp_port: int = 0,
    ) -> None:
        self._port = port
        self._tcp_port = tcp_port
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        kinds = [self._keep_alive] * keep_alive + [self._idle] * idle
        kinds += [self._short] * short + [self._tcp] * tcp
        self._threads = [threading.Thread(target=kind) for kind in kinds]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def total(self) -> int:
        """How many requests were answered well."""
        return sum(self.counts.values())

    def _keep_alive(self) -> None:
        self._talk("keep-alive", pause=0.002)

    def _idle(self) -> None:
        self._talk("idle", pause=0.05)

    def _short(self) -> None:
        while not self._stop.is_set():
            self._try("short", self._one_short)
            self._stop.wait(0.005)

    def _one_short(self) -> None:
        with _connect(self._port) as connection:
            _exchange(connection, LAST_REQUEST)
        self._count("short")

    def _talk(self, kind: str, pause: float) -> None:
        while not self._stop.is_set():
            self._try(kind, lambda: self._one_connection(kind, pause))

    def _one_connection(self, kind: str, pause: float) -> None:
        with _connect(self._port) as connection:
            closing = False
            while not closing and not self._stop.is_set():
                closing = _exchange(connection, REQUEST)
                self._count(kind)
                self._stop.wait(pause)

    def _tcp(self) -> None:
        self._try("tcp", self._one_echo)

    def _one_echo(self) -> None:
        with _connect(self._tcp_port) as connection, connection.makefile("rwb") as lines:
            lines.readline()
            while not self._stop.is_set():
                line = f"{time.monotonic()}\n".encode()
                lines.write(line)
                lines.flush()
                if lines.readline() != line:
                    raise ConnectionResetError("the echo ended")
                self._count("tcp")
                self._stop.wait(0.01)

    def _try(self, kind: str, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            with self._lock:
                self.failures.append(f"{kind} at {datetime.now(UTC).time()}: {error!r}")
            self._stop.wait(0.05)  # a port where nobody listens must not fill the memory

    def _count(self, kind: str) -> None:
        with self._lock:
            self.counts[kind] += 1


def _connect(port: int) -> socket.socket:
    return socket.create_connection((LOOPBACK, port), timeout=TIMEOUT)


def _exchange(connection: socket.socket, request: bytes) -> bool:
    """One request and its whole answer; True where the server says that it closes. Raises OSError."""
    connection.sendall(request)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += _receive(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ConnectionError(f"answered {head[:20]!r}")
    lines = head.lower().split(b"\r\n")
    length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
    while len(body) < length:
        body += _receive(connection)
    return b"connection: close" in lines


def _receive(connection: socket.socket) -> bytes:
    block = connection.recv(65536)
    if not block:
        raise ConnectionResetError("closed in the middle")
    return block
