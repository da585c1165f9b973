"""Certificates and networks are renewed under clients that hold a connection, and none of them notices."""

import http.client
import re
import ssl
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.support.asking import Asking
from tests.support.certificates import Authority, Certificate
from tests.support.haproxy import haproxy, haproxy_binary, socket_directory
from tests.support.headers import ask
from tests.support.ports import LOOPBACK, free_port, wait_until
from tests.support.second import node
from tests.support.seconddevice import (
    Device,
    authority,
    certificate,
    der,
    device,
    one,
    simple,
    trusting,
)
from tests.support.web import WebServer

__all__ = ["authority", "device", "haproxy", "haproxy_binary", "one", "socket_directory"]

RENEWALS = 20


class Held:
    """A client on one TLS connection that it keeps."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._connection = http.client.HTTPSConnection(LOOPBACK, port, timeout=10, context=context)
        self._connection.connect()
        self._socket = self._connection.sock

    def ask(self) -> tuple[int, str, bytes | None]:
        """Status, body, and the certificate that the connection began with; the connection is the same."""
        self._connection.request("GET", "/")
        answer = self._connection.getresponse()
        body = answer.read().decode()
        assert self._connection.sock is self._socket
        assert isinstance(self._socket, ssl.SSLSocket)
        return answer.status, body, self._socket.getpeercert(binary_form=True)

    def close(self) -> None:
        self._connection.close()


class Shop:
    """A TLS listener whose certificate and networks change."""

    def __init__(self, device: Device, server: WebServer, authority: Authority) -> None:
        self.port = free_port()
        self.context = trusting(authority)
        self._device = device
        self._server = server

    def renew(self, issued: Certificate, *networks: str) -> None:
        self._device.pass_(
            simple(
                self.port,
                node("n", self._server.port),
                protocol="TERMINATED_HTTPS",
                tls={"certificates": [certificate("1", issued)]},
                allowed_cidrs=list(networks),
            )
        )

    def ask(self) -> tuple[str, bytes | None]:
        """One request on a connection of its own."""
        answer = ask(self.port, context=self.context)
        return answer.body, answer.certificate


@pytest.fixture
def shop(device: Device, one: WebServer, authority: Authority) -> Iterator[Shop]:
    yield Shop(device, one, authority)
    assert device.reloads() == 0


def test_a_client_keeps_its_connection_over_a_renewal(shop: Shop, authority: Authority) -> None:
    old, new = authority.issue("held-old"), authority.issue("held-new")
    shop.renew(old, "127.0.0.0/8")
    with closing(Held(shop.port, shop.context)) as held:
        assert held.ask() == (200, "one", der(old))
        shop.renew(new, "127.0.0.0/8")
        assert held.ask() == (200, "one", der(old))
        assert shop.ask() == ("one", der(new))


def test_a_client_keeps_its_connection_when_its_network_is_not_let_in_any_more(
    shop: Shop, authority: Authority
) -> None:
    issued = authority.issue("held-map")
    shop.renew(issued, "127.0.0.0/8")
    with closing(Held(shop.port, shop.context)) as held:
        assert held.ask()[0] == 200
        shop.renew(issued, "10.0.0.0/8")
        assert held.ask()[:2] == (200, "one")
        with pytest.raises(OSError):  # noqa: PT011 - closed in one way or another
            shop.ask()
        shop.renew(issued, "10.0.0.0/8", "127.0.0.1/32")
        assert shop.ask() == ("one", der(issued))


def test_renewals_under_load_cost_nobody_anything(shop: Shop, authority: Authority) -> None:
    """Each of the new connections gets one of the two, whole, and each network is in at every moment."""
    pair = authority.issue("load-old"), authority.issue("load-new")
    shop.renew(pair[0], "127.0.0.1/32", "10.0.0.0/16")
    fresh: set[object] = set()
    kept: set[object] = set()
    with (
        closing(Held(shop.port, shop.context)) as held,
        Asking(lambda: kept.add(held.ask())),
        Asking(lambda: fresh.add(shop.ask())) as asking,
    ):
        for number in range(1, RENEWALS + 1):
            before = asking.answers
            shop.renew(pair[number % 2], f"10.{number}.0.0/16", "127.0.0.1/32")
            wait_until(lambda before=before: asking.answers > before + 1)
    assert fresh == {("one", der(issued)) for issued in pair}
    assert kept == {(200, "one", der(pair[0]))}


def test_a_preview_tells_of_renewals_and_makes_none(
    device: Device, one: WebServer, authority: Authority
) -> None:
    port, context = free_port(), trusting(authority)
    old, new = authority.issue("told-old"), authority.issue("told-new")

    def message(issued: Certificate, network: str) -> dict[str, Any]:
        return simple(
            port,
            node("n", one.port),
            protocol="TERMINATED_HTTPS",
            tls={"certificates": [certificate("1", issued)]},
            allowed_cidrs=["127.0.0.0/8", network],
        )

    device.pass_(message(old, "10.0.0.0/8"))
    materials = set(device.haproxy.directory.rglob("*.d/*"))
    plan = device.pass_({**message(new, "10.1.0.0/16"), "hpcs_dry_run": True})["plan"]
    assert (plan["step"], plan["reload"]) == ("change", False)
    assert [re.sub(r"\S+$", "...", action) for action in plan["actions"]] == [
        "let 2 networks in by ...",
        "renew the certificate ...",
    ]
    assert ask(port, context=context).certificate == der(old)
    assert set(device.haproxy.directory.rglob("*.d/*")) == materials
    device.pass_(message(new, "10.1.0.0/16"))
    assert ask(port, context=context).certificate == der(new)
    assert device.reloads() == 0
    suspended = device.pass_({"hpcs_action": "SUSPEND", "hpcs_dry_run": True})["plan"]
    assert suspended["actions"] == ["refuse new connections on fe-li"]
    device.pass_({"hpcs_action": "SUSPEND"})
    enabled = device.pass_({"hpcs_action": "ENABLE", "hpcs_dry_run": True})["plan"]
    assert enabled["actions"] == ["listen again on fe-li"]
    with pytest.raises(OSError):  # noqa: PT011 - nobody listens
        ask(port, context=context)
