"""Clients of many loopback addresses, each of which wants to stay at its server."""

import random
import socket
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.ports import LOOPBACK

REQUEST = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"


def addresses(count: int, net: int = 1) -> list[str]:
    """Different addresses of this host."""
    return [f"127.{net}.{n >> 8}.{n & 255}" for n in range(1, count + 1)]


def ask(address: str, port: int) -> str:
    """The name of the server that answers a client with this address; raises OSError."""
    with socket.create_connection(
        (LOOPBACK, port), timeout=10, source_address=(address, 0)
    ) as connection:
        connection.sendall(REQUEST)
        answer = b""
        while block := connection.recv(65536):
            answer += block
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise ConnectionError(answer[:50].decode(errors="replace") or "no answer")
    return answer.rpartition(b"\r\n\r\n")[2].decode()


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
