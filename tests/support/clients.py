"""Clients of many loopback addresses, each of which wants to stay at its server."""

import random
import re
import socket
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

from tests.support.ports import LOOPBACK


def addresses(count: int, net: int = 1) -> list[str]:
    """Different addresses of this host."""
    return [f"127.{net}.{n >> 8}.{n & 255}" for n in range(1, count + 1)]


class KeptConnection:
    """One connection of a client with this address, for as long as the server keeps it."""

    def __init__(self, address: str, port: int) -> None:
        self._socket = socket.create_connection(
            (LOOPBACK, port), timeout=10, source_address=(address, 0)
        )

    def ask(self, *, last: bool = False) -> str:
        """The name of the server that answers; raises OSError."""
        close = b"Connection: close\r\n" if last else b""
        self._socket.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n" + close + b"\r\n")
        answer = b""
        while (body := _body(answer)) is None:
            block = self._socket.recv(65536)
            if not block:
                raise ConnectionError(f"only {answer[:50]!r}")
            answer += block
        return body

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def _body(answer: bytes) -> str | None:
    """None where it is not whole yet."""
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return None
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ConnectionError(head[:50].decode(errors="replace"))
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    assert length
    return body.decode() if len(body) == int(length[1]) else None


def ask(address: str, port: int) -> str:
    """The name of the server that answers a client with this address; raises OSError."""
    with KeptConnection(address, port) as connection:
        return connection.ask(last=True)


def find_homes(clients: Iterable[str], port: int) -> dict[str, str]:
    """Which server each client is at."""
    return {client: ask(client, port) for client in clients}


@dataclass
class Visits:
    """What clients saw: how often they were served, who was served elsewhere, and what failed."""

    count: int = 0
    moved: list[tuple[str, str, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@contextmanager
def visiting(homes: dict[str, str], port: int, threads: int = 3) -> Iterator[Visits]:
    """These clients come again and again, in no order, until the block ends."""
    visits, stop = Visits(), threading.Event()
    clients = list(homes)

    def visit(mine: Sequence[str], seed: int) -> None:
        dice = random.Random(seed)
        while not stop.is_set():
            client = dice.choice(mine)
            try:
                server = ask(client, port)
            except OSError as error:
                visits.failures.append(f"{client}: {error!r}")
                continue
            visits.count += 1
            if server != homes[client]:
                visits.moved.append((client, homes[client], server))

    workers = [
        threading.Thread(target=visit, args=(clients[number::threads], number))
        for number in range(threads)
    ]
    for worker in workers:
        worker.start()
    try:
        yield visits
    finally:
        stop.set()
        for worker in workers:
            worker.join()
