"""A web server whose answers last as long as the test wants."""

import socket
import threading
from typing import Self

from tests.support.ports import LOOPBACK, wait_until

PIECE = b"x" * 1000


class SlowServer:
    """Sends the head of an answer at once, and its body a piece each time when it is told to."""

    def __init__(self, pieces: int = 3) -> None:
        self._pieces = pieces
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._clients: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, name=f"slow-{self.port}")
        self._accepting.start()

    def send_piece(self) -> None:
        """To everybody who asked, as soon as somebody has."""
        wait_until(lambda: self._clients, what="a client of the slow server")
        for client in self._clients:
            client.sendall(PIECE)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            # Else HAProxy keeps the connection for another request, and the server for as long.
            head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(PIECE) * self._pieces}\r\n\r\n"
            client.recv(65536)
            client.sendall(head.encode())
            self._clients.append(client)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        for item in (self._listener, *self._clients):
            item.close()


class Download:
    """A client of such an answer."""

    def __init__(self, port: int, pieces: int = 3) -> None:
        self._socket = socket.create_connection((LOOPBACK, port), timeout=10)
        self._socket.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        self._left = len(PIECE) * pieces
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self._socket.recv(1)
            assert byte, "no head of an answer"
            head += byte

    def receive_piece(self) -> bool:
        """False where the connection ended before the piece did."""
        wanted = len(PIECE)
        try:
            while wanted:
                block = self._socket.recv(wanted)
                if not block:
                    return False
                wanted -= len(block)
                self._left -= len(block)
        except OSError:
            return False
        return True

    @property
    def complete(self) -> bool:
        """True where all of it has come."""
        return self._left == 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
