"""A connection to the admin socket that is kept: it stays with its process when another one takes the socket over."""

import socket
from datetime import timedelta
from pathlib import Path
from typing import Self

from libra.drivers.haproxy.runtime import checked
from libra.drivers.haproxy.sockets import reason
from libra.drivers.haproxy.waiting import Deadline
from libra.errors import ProxyNotRunning

_BLOCK = 65536
_PROMPT = b"\n> "


class Conversation:
    """Opened by its constructor, closed by its `with` block; raises `ProxyNotRunning`.

    Let it be short: as long as it is open its process does not end, and HAProxy ends one that is silent for a minute.
    """

    def __init__(self, path: Path, timeout: timedelta) -> None:
        self._path = path
        self._timeout = timeout
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._connection.settimeout(timeout.total_seconds())
            self._connection.connect(str(path))
            self._exchange("prompt")
        except OSError as error:
            self._connection.close()
            raise self._lost(error) from error

    def ask(self, command: str) -> str:
        """The answer to one command."""
        try:
            return self._exchange(checked(command))
        except OSError as error:
            raise self._lost(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _exchange(self, command: str) -> str:
        deadline = Deadline(self._timeout)
        self._connection.sendall(f"{command}\n".encode())
        answer = bytearray()
        while not answer.endswith(_PROMPT):
            self._connection.settimeout(max(deadline.left_seconds, 0.001))
            block = self._connection.recv(_BLOCK)
            if not block:
                raise ConnectionResetError("it ended amid the answer")
            answer += block
        return answer.removesuffix(_PROMPT).decode(errors="replace").strip("\n")

    def _lost(self, error: OSError) -> ProxyNotRunning:
        why = reason(error, self._timeout)
        return ProxyNotRunning(f"cannot reach HAProxy at {self._path}: {why}")
