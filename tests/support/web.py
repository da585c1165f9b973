"""Small servers on the loopback address that say who they are, members for load balancers in tests; and what asks."""

import socket
import socketserver
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.support.ports import LOOPBACK

# `verify=` of httpx where all is plain HTTP: to read the machine's certificates takes 40 ms and more, at each request.
NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "_HttpServer"

    def do_GET(self) -> None:
        body = self.server.identity.encode()
        self.server.requests += 1
        self.send_response(self.server.status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Tests print nothing."""


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, identity: str, port: int, host: str) -> None:
        super().__init__((host, port), _Handler)
        self.identity = identity
        self.status = 200
        self.requests = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is nobody's fault."""


class _EchoHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(self.server.identity.encode() + b"\n")  # type: ignore[attr-defined]
        while data := self.request.recv(65536):
            self.request.sendall(data)


class _EchoServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, identity: str, port: int) -> None:
        super().__init__((LOOPBACK, port), _EchoHandler)
        self.identity = identity

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is nobody's fault."""


class Serving:
    """A server in a thread: `with WebServer("one") as one: ... one.port`."""

    def __init__(self, server: socketserver.TCPServer) -> None:
        self._server = server
        self.port: int = server.server_address[1]
        self._thread = threading.Thread(
            target=server.serve_forever, args=(0.02,), name=f"server-{self.port}"
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class WebServer(Serving):
    """Answers every GET with its name, over HTTP/1.1 with keep-alive."""

    def __init__(self, name: str, port: int = 0, *, host: str = LOOPBACK) -> None:
        self._http = _HttpServer(name, port, host)
        super().__init__(self._http)

    @property
    def requests(self) -> int:
        """How many it has answered, health checks too."""
        return self._http.requests

    def answer_with(self, status: int) -> None:
        """The status of every answer from now on."""
        self._http.status = status


class EchoServer(Serving):
    """Says its name and a line's end, then sends back what comes."""

    def __init__(self, name: str, port: int = 0) -> None:
        super().__init__(_EchoServer(name, port))


def get(
    port: int, path: str = "/", *, host: str = LOOPBACK, timeout: float = 5.0
) -> tuple[int, str]:
    """Status and body of one request on a connection of its own; raises OSError."""
    request = f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    with socket.create_connection((host, port), timeout=timeout) as connection:
        connection.sendall(request.encode())
        answer = bytearray()
        while block := connection.recv(65536):
            answer += block
    head, _, body = answer.decode().partition("\r\n\r\n")
    if not head.startswith("HTTP/"):
        raise ConnectionResetError("the answer is not whole")
    return int(head.split(" ", 2)[1]), body
