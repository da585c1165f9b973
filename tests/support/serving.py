"""The server of web services: its application asked without a socket, and the process over its own."""

import asyncio
import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from libra.durable import replace_file
from libra.model.listener import Listener, Protocol
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.webservice import Local, WebService, service_key
from libra.serving.application import Application
from libra.serving.book import Book, Node
from libra.serving.question import ask_serving
from tests.support.ports import wait_until

LISTENER = "web"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def build_book(*services: Local, directories: tuple[object, ...] = (), node: Node = Node()) -> Book:  # noqa: B008
    return Book(
        services={service_key(LISTENER, service.path): service for service in services},
        node=node,
        directories=tuple(map(str, directories)),
    )


def build_web(*services: WebService, port: int = 8080) -> Desired:
    """One listener that answers these."""
    listener = Listener(
        id=LISTENER,
        protocol=Protocol.HTTP,
        port=port,
        bind_address="127.0.0.1",
        pool=None,
        services=services,
    )
    return Desired(loadbalancers=(LoadBalancer(id="cluster", listeners=(listener,)),))


def key_headers(service: str, headers: Mapping[str, str] | None = None) -> dict[str, str]:
    return {"X-Libra-Service": service_key(LISTENER, service), **(headers or {})}


def call(
    application: Application,
    path: str,
    service: str | None,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """As uvicorn would ask it; `path` as it came, `service` the path that HAProxy chose."""
    sent = dict(headers or {}) if service is None else key_headers(service, headers)
    raw, _, query = path.encode().partition(b"?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "path": "/",
        "raw_path": raw,
        "query_string": query,
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
    }
    messages: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        messages.append(message)

    asyncio.run(application(scope, receive, send))
    head, *rest = messages
    body = b"".join(message.get("body", b"") for message in rest)
    names = {name.decode(): value.decode() for name, value in head["headers"]}
    return Answer(head["status"], names, body)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("libra", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30)
        self.sock.connect(str(self._path))


def ask(
    path: Path,
    target: str,
    service: str | None,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """One request over the socket, its target as it is written here."""
    sent = dict(headers or {}) if service is None else key_headers(service, headers)
    connection = _Connection(path)
    try:
        connection.request(method, target, body, sent)
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, response.read())
    finally:
        connection.close()


class ServingLab:
    """A process of its own, below `directory`; `sockets` needs a short path."""

    def __init__(self, directory: Path, sockets: Path) -> None:
        self.socket = sockets / "serving.sock"
        self.services = directory / "services.json"
        self.errors = directory / "serving.log"
        self.process: subprocess.Popen[bytes] | None = None

    def write(self, book: Book) -> Book:
        replace_file(self.services, book.render(), mode=0o600)
        return book

    def start(self, book: Book, *arguments: str) -> Self:
        """Returns when it answers by this book."""
        self.write(book)
        self.process = self.launch(*arguments)
        self.wait_for(book)
        return self

    def launch(self, *arguments: str) -> "subprocess.Popen[bytes]":
        words = [sys.executable, "-P", "-m", "libra.serving", "--socket", str(self.socket)]
        with self.errors.open("ab") as errors:
            return subprocess.Popen(
                [*words, "--services", str(self.services), *arguments], stderr=errors
            )

    def wait_for(self, book: Book) -> None:
        wait_until(lambda: self.digest() == book.digest, what="the server with its new services")

    def digest(self) -> str | None:
        assert self.process is not None
        assert self.process.poll() is None, self.errors.read_text()
        try:
            serving = ask_serving(self.socket, 5)
        except OSError:
            return None
        return serving.digest if serving.pid == self.process.pid else None

    def renew(self, book: Book) -> None:
        """As the worker does; returns when it is live."""
        self.write(book)
        self.send(signal.SIGHUP)
        self.wait_for(book)

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.send(number)
        return self.process.wait(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)


def load_node(body: bytes) -> dict[str, Any]:
    return dict(json.loads(body))


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
