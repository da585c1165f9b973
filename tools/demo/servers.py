"""What stands behind the load balancer: two small web servers in this process."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOOPBACK = "127.0.0.1"


class SampleWebServer:
    """Answers every GET with its own name."""

    def __init__(self, name: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = f"hello from {name}\n".encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """A health check may hang up first; that is no news."""

        self.name = name
        self._server = Server((LOOPBACK, 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop and wait for the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def choose_port(wanted: int | None, usual: int, *, host: str = LOOPBACK) -> int:
    """`wanted` as it is; else the usual one where nobody has it, else any free one."""
    if wanted is not None:
        return wanted
    return usual if is_free(usual, host) else _any_free(host)


def is_free(port: int, host: str) -> bool:
    """Whether it could be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _any_free(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def accepts(host: str, port: int) -> bool:
    """True where somebody listens."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0
