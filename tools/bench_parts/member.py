"""Small web servers in a process of their own: the members that benched load balancers send to."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BODY = b"bench\n"
PORT_HEADER = "X-Member"
"""An answer's: the port of who gave it."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.send_header(PORT_HEADER, str(self.connection.getsockname()[1]))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing is printed but the port."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A health check that hangs up is nobody's fault."""


@contextmanager
def running_member() -> Iterator[int]:
    """Its port on loopback."""
    with running_members(1) as (port,):
        yield port


@contextmanager
def running_members(count: int) -> Iterator[list[int]]:
    """Their ports on loopback."""
    command = [sys.executable, "-m", "tools.bench_parts.member", str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield [int(word) for word in process.stdout.readline().split()]
        finally:
            process.kill()


def serve(count: int) -> None:
    """Until killed; their ports on standard output."""
    servers = [_Server(("127.0.0.1", 0), _Handler) for _ in range(count)]
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(*(server.server_address[1] for server in servers), flush=True)
    servers[0].serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
