"""A job server inside this process, for one machine where no gearmand is wanted.

Jobs live in memory: what waits is lost with the process.
"""

import socket

from libra.errors import JobServerUnavailable
from libra.jobs.gearman.server import Server


class EmbeddedJobServer:
    """A Gearman server for this machine; its owner starts and stops it, and may start it again.

    It listens in clear text, so keep it on the loopback address. Port 0 picks a free one: see `port` after `start`.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host = host
        self.port = port
        self._server: Server | None = None

    def start(self) -> None:
        """Listen. Raises `JobServerUnavailable` where the port cannot be had."""
        if self._server is None:
            self._ensure_listenable()
            self._server = Server(self.host, self.port)
            self.port = self._server.port

    def stop(self) -> None:
        """Close every connection and the port, within seconds; idempotent."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()

    def _ensure_listenable(self) -> None:
        """gear does not say why it cannot listen, and leaves its files open."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            socket.create_server((self.host, self.port), family=family).close()
        except OSError as error:
            reason = str(error.strerror).partition(" (")[0].lower()  # without the address once more
            raise JobServerUnavailable(
                f"cannot listen on {self.host}:{self.port}: {reason}"
            ) from error
