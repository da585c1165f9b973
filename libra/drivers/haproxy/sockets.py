"""One question and one answer over a unix socket of HAProxy."""

import errno
import socket
from datetime import timedelta
from pathlib import Path

from libra.drivers.haproxy.waiting import Deadline

_BLOCK = 65536


def exchange(
    path: Path, request: str, timeout: timedelta, *, last_words: tuple[bytes, ...] = ()
) -> str:
    """Send the request, read to the end; raises OSError, also when all of it takes longer than `timeout`.

    The sending side is closed after the request: HAProxy's master keeps the connection open otherwise. An answer
    that begins with `last_words` ends with its first line, whether or not HAProxy then closes the connection.
    """
    deadline = Deadline(timeout)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        _limit(connection, deadline)
        connection.connect(str(path))
        connection.sendall(request.encode())
        connection.shutdown(socket.SHUT_WR)
        answer = bytearray()
        while block := _receive(connection, deadline):
            answer += block
            if answer.startswith(last_words) and answer.endswith(b"\n"):
                break
    return answer.decode(errors="replace")


def _receive(connection: socket.socket, deadline: Deadline) -> bytes:
    _limit(connection, deadline)
    return connection.recv(_BLOCK)


def _limit(connection: socket.socket, deadline: Deadline) -> None:
    if deadline.passed:
        raise TimeoutError("timed out")
    connection.settimeout(deadline.left_seconds)


def is_whole(answer: str) -> bool:
    """HAProxy ends every answer with an empty line; without it the process went away in the middle."""
    return answer == "\n" or answer.endswith("\n\n")


def reason(error: OSError, timeout: timedelta) -> str:
    """Why nothing was answered, for a person."""
    if isinstance(error, TimeoutError):
        return f"no whole answer within {timeout.total_seconds():g} s"
    if isinstance(error, FileNotFoundError):
        return "there is no such socket"
    if error.errno == errno.ECONNREFUSED:
        return "nobody listens there"
    return error.strerror or str(error)
