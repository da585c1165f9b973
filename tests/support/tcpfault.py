"""A TCP link with faults, and an address that swallows every connection attempt."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Self

from tests.support.ports import LOOPBACK

PIECE_BYTES = 16 * 1024
RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class TcpFault:
    """Forwards connections to a port; `with TcpFault(port) as link: ... link.port`.

    Set at any time: `rate` in bytes a second, `delay_seconds` before each piece, `cut_after` so many bytes in all
    (then both sides are reset), `hang` to let nothing pass. See `refuse`, `accept` and `reset`.
    """

    def __init__(self, to_port: int) -> None:
        self._to = (LOOPBACK, to_port)
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._passed = 0
        self.rate: float | None = None
        self.delay_seconds = 0.0
        self.cut_after: int | None = None
        self.hang = False
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang = False
        self.refuse()
        self.reset()

    def refuse(self) -> None:
        """New connections are refused; the present ones stay."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def accept(self) -> None:
        """New connections are accepted again."""
        self._listener = socket.create_server((LOOPBACK, self.port))
        self._start()

    def reset(self) -> None:
        """Break every present connection, both sides."""
        with self._lock:
            sockets = list(self._sockets)
        for sock in sockets:
            self._break(sock)

    def _start(self) -> None:
        threading.Thread(target=self._accept_all, args=(self._listener,), daemon=True).start()

    def _accept_all(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._to, timeout=5)
            except OSError:
                self._break(client)
                continue
            server.settimeout(None)
            with self._lock:
                self._sockets |= {client, server}
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(PIECE_BYTES):
                self._hold_back(len(data))
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            self._break(source)
            self._break(sink)

    def _hold_back(self, size: int) -> None:
        while self.hang:
            time.sleep(0.01)
        time.sleep(self.delay_seconds + (size / self.rate if self.rate else 0.0))
        self._passed += size
        if self.cut_after is not None and self._passed >= self.cut_after:
            raise OSError("cut")

    def _break(self, sock: socket.socket) -> None:
        with self._lock:
            self._sockets.discard(sock)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
            # Wakes the thread that reads from it: as long as that one waits, the kernel keeps the connection.
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """A port where connecting takes for ever, as behind a firewall that drops: its backlog is full."""
    with contextlib.ExitStack() as open_sockets:
        listener = open_sockets.enter_context(socket.socket())
        listener.bind((LOOPBACK, 0))
        listener.listen(0)
        for _ in range(4):
            filler = open_sockets.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
