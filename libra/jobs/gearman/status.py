"""Which functions have workers: the administrative command `status` of every job server."""

import socket
import ssl
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from libra.jobs.gearman.deadline import Deadline
from libra.jobs.gearman.sockets import connect
from libra.jobs.gearman.tls import build_context

if TYPE_CHECKING:
    from libra.config.settings import JobServerSettings

END = b".\n"
MOST_BYTES = 64 * 1024 * 1024


def count_workers(servers: "Sequence[JobServerSettings]", seconds: float) -> Counter[str] | None:
    """How many workers each function has, over all servers that answer; None where none does."""
    found: Counter[str] = Counter()
    answered = False
    for server in servers:
        try:
            found.update(_ask(server, Deadline(seconds)))
            answered = True
        except (OSError, ValueError):
            continue
    return found if answered else None


def parse_status(text: str) -> Counter[str]:
    """Lines of function, waiting, running and available workers, with tabs in between; raises ValueError."""
    found: Counter[str] = Counter()
    for line in text.splitlines():
        if line == ".":
            break
        name, _waiting, _running, workers = line.split("\t")
        found[name] += int(workers)
    return found


def _ask(server: "JobServerSettings", deadline: Deadline) -> Counter[str]:
    with _connected(server, deadline) as connection:
        connection.sendall(b"status\n")
        answer = bytearray()
        while not (answer == END or answer.endswith(b"\n" + END)):
            connection.settimeout(max(0.001, deadline.left()))
            block = connection.recv(65536)
            if not block or len(answer) > MOST_BYTES:
                raise OSError("no whole answer")
            answer += block
    return parse_status(answer.decode("utf-8", "replace"))


@contextmanager
def _connected(server: "JobServerSettings", deadline: Deadline) -> Iterator[socket.socket]:
    plain = connect(server.host, server.port, deadline)
    plain.settimeout(max(0.001, deadline.left()))
    if server.ca is None:
        with plain:
            yield plain
        return
    context: ssl.SSLContext = build_context(str(server.ca), str(server.cert), str(server.key))
    with context.wrap_socket(plain, server_hostname=server.host) as encrypted:
        yield encrypted
