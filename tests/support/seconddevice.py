"""A device that is told 2.0 messages, with a real HAProxy behind it, and fixtures for its tests."""

import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from libra.messages.replies import passed
from libra.model.loadbalancer import Desired
from libra.worker.controller import LBaaSController
from libra.worker.state import FileState
from tests.support.certificates import Authority, Certificate
from tests.support.haproxy import DrivenHAProxy
from tests.support.headers import HeadServer, ask
from tests.support.second import listener, loadbalancer, node, pool, update
from tests.support.web import WebServer

Message = dict[str, Any]


class Device:
    """A controller over a HAProxy, and a restarted one."""

    def __init__(self, haproxy: DrivenHAProxy) -> None:
        self.haproxy = haproxy
        self.path = haproxy.directory / "desired.json"
        self.controller = LBaaSController(haproxy.driver, FileState(self.path))

    def pass_(self, message: Message) -> Message:
        """The reply, which is a PASS."""
        reply = self.controller.handle(message)
        assert passed(reply), reply
        return reply

    def fail(self, message: Message) -> str:
        """Why it is a FAIL."""
        reply = self.controller.handle(message)
        assert not passed(reply)
        return str(reply["hpcs_error"])

    def restart(self) -> None:
        """A new worker over the same HAProxy."""
        self.haproxy.driver.close()
        self.haproxy.driver = self.haproxy.new_driver()
        self.controller = LBaaSController(self.haproxy.driver, FileState(self.path))
        self.controller.restore()

    def desired(self) -> Desired:
        """What is saved."""
        return FileState(self.path).load()

    def stats(self) -> Message:
        """The reply to STATS."""
        return self.pass_({"hpcs_action": "STATS"})

    def reloads(self) -> int:
        """How many there were since HAProxy started."""
        return self.haproxy.master.show_processes().master.reloads


@pytest.fixture
def device(haproxy: DrivenHAProxy) -> Device:
    """One on which nothing runs yet."""
    return Device(haproxy)


@pytest.fixture
def one() -> Iterator[WebServer]:
    """A member."""
    with WebServer("one") as server:
        yield server


@pytest.fixture
def two() -> Iterator[WebServer]:
    """Another member."""
    with WebServer("two") as server:
        yield server


@pytest.fixture
def heads() -> Iterator[HeadServer]:
    """A member that says what it is asked."""
    with HeadServer() as server:
        yield server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs certificates."""
    return Authority(tmp_path_factory.mktemp("ca"))


def simple(port: int, *nodes: Message, **fields: object) -> Message:
    """One listener, one pool; the fields are the listener's."""
    return update(
        loadbalancer("lb", [{**listener("li", port, pool="p"), **fields}], [pool("p", *nodes)])
    )


def certificate(name: str, issued: Certificate) -> Message:
    """As a message holds it."""
    return {"id": name, "certificate": issued.cert.read_text(), "key": issued.key.read_text()}


def secure(port: int, server: WebServer | HeadServer, tls: Message, **fields: object) -> Message:
    """A listener that ends TLS."""
    return simple(port, node("n", server.port), protocol="TERMINATED_HTTPS", tls=tls, **fields)


def trusting(authority: Authority, shown: Certificate | None = None) -> ssl.SSLContext:
    """A client that believes that authority, and may show a certificate."""
    context = ssl.create_default_context(cafile=str(authority.ca))
    context.check_hostname = False
    if shown is not None:
        context.load_cert_chain(shown.cert, shown.key)
    return context


def serving(issued: Certificate) -> ssl.SSLContext:
    """A server with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.cert, issued.key)
    return context


def der(issued: Certificate) -> bytes:
    """As a connection shows it."""
    return ssl.PEM_cert_to_DER_cert(issued.cert.read_text())


def shown(port: int, context: ssl.SSLContext, name: str = "localhost") -> bytes | None:
    """The certificate for that name."""
    return ask(port, context=context, name=name).certificate
