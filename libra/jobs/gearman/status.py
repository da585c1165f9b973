"""Which functions have workers, and where those are: the commands `status` and `workers` of every job server."""

import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from libra.jobs.gearman.deadline import Deadline
from libra.jobs.gearman.sockets import connect
from libra.jobs.gearman.tls import build_context

if TYPE_CHECKING:
    from libra.config.settings import JobServerSettings

END = b".\n"
MOST_BYTES = 64 * 1024 * 1024
Addresses = dict[str, set[str]]
"""Where the workers of each function connect from."""

T = TypeVar("T")


def count_workers(servers: "Sequence[JobServerSettings]", seconds: float) -> Counter[str] | None:
    """How many workers each function has, over all servers that answer; None where none does."""
    answers = list(_ask_all(servers, seconds, b"status\n", parse_status))
    return sum(answers, Counter()) if answers else None


def find_workers(servers: "Sequence[JobServerSettings]", seconds: float) -> Addresses | None:
    """As the servers that answer see them; None where none does."""
    answers = list(_ask_all(servers, seconds, b"workers\n", parse_workers))
    found: Addresses = {}
    for answer in answers:
        for name, addresses in answer.items():
            found.setdefault(name, set()).update(addresses)
    return found if answers else None


def _ask_all(
    servers: "Sequence[JobServerSettings]",
    seconds: float,
    command: bytes,
    parse: Callable[[str], T],
) -> Iterator[T]:
    """One after the other, each within so many seconds."""
    for server in servers:
        try:
            yield parse(_ask(server, Deadline(seconds), command))
        except (OSError, ValueError):
            continue


def parse_status(text: str) -> Counter[str]:
    """Lines of function, waiting, running and available workers, with tabs in between; raises ValueError."""
    found: Counter[str] = Counter()
    for line in text.splitlines():
        if line == ".":
            break
        name, _waiting, _running, workers = line.split("\t")
        found[name] += int(workers)
    return found


def parse_workers(text: str) -> Addresses:
    """Lines of "NUMBER ADDRESS NAME : FUNCTION ...", of clients without any function; raises ValueError."""
    found: Addresses = {}
    for line in text.splitlines():
        if line == ".":
            break
        _number, address, rest = line.split(" ", 2)
        _name, _, functions = rest.partition(" :")
        for function in functions.split():
            found.setdefault(function, set()).add(address.removeprefix("::ffff:"))
    return found


def _ask(server: "JobServerSettings", deadline: Deadline, command: bytes) -> str:
    with _connected(server, deadline) as connection:
        connection.sendall(command)
        answer = bytearray()
        while not (answer == END or answer.endswith(b"\n" + END)):
            connection.settimeout(max(0.001, deadline.left()))
            block = connection.recv(65536)
            if not block or len(answer) > MOST_BYTES:
                raise OSError("no whole answer")
            answer += block
    return answer.decode("utf-8", "replace")


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
