"""A real Varnish in front of two nodes that pass /health on to libra, as the seed's do."""

import subprocess
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from tests.support.ports import LOOPBACK, accepts, free_port, wait_until
from tests.support.programs import find_program

BACKEND = """
backend {name} {{
    .host = "127.0.0.1";
    .port = "{port}";
    .first_byte_timeout = 30s;
    .probe = {{
        .url = "/health?node={name}";
        .timeout = 0.3s;
        .interval = 0.2s;
        .window = 8;
        .threshold = 3;
        .initial = 3;
    }}
}}
"""
VCL = """vcl 4.1;
import directors;
{backends}
sub vcl_init {{
    new zope = directors.random();
{additions}
}}
sub vcl_recv {{
    set req.backend_hint = zope.backend();
    return (pass);
}}
"""


class PassingNode:
    """An application that says its name, and asks libra whether it is in service."""

    def __init__(self, name: str, reporter: int) -> None:
        self.name = name
        health = f"http://{LOOPBACK}:{reporter}"

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/health"):
                    self.answer(*ask(f"{health}{self.path}"))
                else:
                    self.answer(200, name.encode())

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Tests print nothing."""

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def ask(url: str) -> tuple[int, bytes]:
    """As it is answered; 502 where nobody does."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:
        return 502, b""


class Varnish:
    """With the seed's probes, at a quicker pace."""

    def __init__(self, directory: Path, *nodes: PassingNode) -> None:
        self.port = free_port()
        backends = "".join(BACKEND.format(name=node.name, port=node.port) for node in nodes)
        additions = "\n".join(f"    zope.add_backend({node.name}, 1.0);" for node in nodes)
        vcl = directory / "libra.vcl"
        vcl.write_text(VCL.format(backends=backends, additions=additions))
        program = find_program("varnishd", package="varnish")
        where = ("-a", f"{LOOPBACK}:{self.port}", "-n", str(directory / "v"), "-f", str(vcl))
        self._log = (directory / "varnish.log").open("wb")
        self._process = subprocess.Popen(
            [program, "-F", *where, "-s", "malloc,10m", "-j", "none"],
            stdout=self._log,
            stderr=self._log,
        )

    def __enter__(self) -> Self:
        wait_until(lambda: accepts(self.port), timeout=60, what="Varnish")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.close()

    def served_by(self, times: int = 12) -> set[str]:
        """The names of the nodes that so many requests went to; "" for one that failed."""
        answers = (ask(f"http://{LOOPBACK}:{self.port}/") for _ in range(times))
        return {body.decode() if status == 200 else "" for status, body in answers}
