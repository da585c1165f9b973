"""A web server that answers with the request's own head, and a client that shows all of an answer."""

import socket
import socketserver
import ssl
from dataclasses import dataclass

from tests.support.ports import LOOPBACK
from tests.support.web import Serving


@dataclass(frozen=True)
class Answer:
    """`head` in lower case; `certificate` is the server's, in DER."""

    status: int
    head: str
    body: str
    certificate: bytes | None = None


def ask(
    port: int,
    *,
    source: str = LOOPBACK,
    host: str = LOOPBACK,
    context: ssl.SSLContext | None = None,
    name: str = "localhost",
    headers: str = "",
) -> Answer:
    """One request; raises OSError, also where the connection is closed without an answer."""
    text = f"GET / HTTP/1.1\r\nHost: test\r\n{headers}Connection: close\r\n\r\n"
    plain = socket.create_connection((host, port), timeout=30, source_address=(source, 0))
    connection = context.wrap_socket(plain, server_hostname=name) if context else plain
    with connection:
        shown = connection.getpeercert(True) if isinstance(connection, ssl.SSLSocket) else None
        connection.sendall(text.encode())
        data = bytearray()
        while block := connection.recv(65536):
            data += block
    head, found, body = data.decode("latin-1").partition("\r\n\r\n")
    if not found:
        raise ConnectionResetError("the answer is not whole")
    return Answer(int(head.split(" ", 2)[1]), head.lower(), body, shown)


class _Handler(socketserver.BaseRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        tls = self.server.tls
        with tls.wrap_socket(self.request, server_side=True) if tls else self.request as connection:
            head = b""
            while b" HTTP/" not in head or not head.endswith(b"\r\n\r\n"):
                block = connection.recv(65536)
                if not block:
                    return
                head += block
            connection.sendall(f"HTTP/1.0 200 OK\r\n{self.server.headers}\r\n".encode() + head)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, headers: str, tls: ssl.SSLContext | None) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.headers = headers
        self.tls = tls

    def handle_error(self, request: object, client_address: object) -> None:
        """A check that hangs up is nobody's fault."""


class HeadServer(Serving):
    """Answers with the bytes that it was sent, so that a test sees what a member does.

    `headers` are its answers' own; with `tls` it speaks that.
    """

    def __init__(self, headers: str = "", tls: ssl.SSLContext | None = None) -> None:
        super().__init__(_Server(headers, tls))
