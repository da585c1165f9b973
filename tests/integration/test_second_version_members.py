"""How members are spoken to in 2.0 messages: TLS, and one connection of a client always at one of them."""

import socket
import socketserver
import ssl
from collections import Counter
from typing import Any

import pytest

from tests.support.certificates import Authority
from tests.support.haproxy import haproxy, haproxy_binary, socket_directory
from tests.support.headers import HeadServer, ask
from tests.support.ports import LOOPBACK, free_port, wait_until
from tests.support.second import listener, loadbalancer, node, pool, update
from tests.support.seconddevice import (
    Device,
    Message,
    authority,
    certificate,
    device,
    heads,
    one,
    secure,
    serving,
    trusting,
    two,
)
from tests.support.web import Serving, WebServer, get

__all__ = [
    "authority",
    "device",
    "haproxy",
    "haproxy_binary",
    "heads",
    "one",
    "socket_directory",
    "two",
]


def web(port: int, *nodes: Message, **fields: Any) -> Message:
    """One listener, one pool; the fields are the pool's."""
    made = [listener("li", port, pool="p")]
    return update(loadbalancer("lb", made, [pool("p", *nodes, **fields)]))


class _Handler(socketserver.BaseRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        with self.server.tls.wrap_socket(self.request, server_side=True) as connection:
            connection.recv(65536)
            peer = dict(pair[0] for pair in (connection.getpeercert() or {}).get("subject", ()))
            cipher = connection.cipher()
            words = [
                connection.version(),
                cipher[0] if cipher else "",
                connection.selected_alpn_protocol(),
            ]
            body = " ".join(map(str, [*words, peer.get("commonName", "nobody")])).encode()
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
                % (len(body), body)
            )


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.tls = tls

    def handle_error(self, request: object, client_address: object) -> None:
        """A handshake that fails is what some tests are about."""


class Secret(Serving):
    """A member that answers with what of TLS it sees: version, cipher, protocol, and who the other side is."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__(_Server(tls))


def test_members_are_spoken_to_over_tls(
    device: Device, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What it takes, what they are shown, and what they have to show."""
    port = free_port()
    strangers = Authority(tmp_path_factory.mktemp("strangers"))
    context = serving(authority.issue("member"))
    context.load_verify_locations(authority.ca)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["http/1.1"])
    ca, shown = authority.ca.read_text(), certificate("c", authority.issue("haproxy"))
    with Secret(context) as member:

        def seen(tls: Message) -> tuple[int, str]:
            device.pass_(web(port, node("n", member.port), tls=tls))
            return get(port)

        plain = seen({})[1].split()
        assert (plain[0], plain[2:]) == ("TLSv1.3", ["None", "nobody"])
        assert seen({"certificate": shown, "ca": ca})[1].endswith(" haproxy")
        assert seen({"ca": strangers.ca.read_text()})[0] == 503
        picky = {
            "versions": ["TLSv1.2"],
            "ciphers": "ECDHE-ECDSA-AES256-GCM-SHA384",
            "alpn": ["http/1.1"],
        }
        assert seen(picky)[1].split() == [
            "TLSv1.2",
            "ECDHE-ECDSA-AES256-GCM-SHA384",
            "http/1.1",
            "nobody",
        ]
        crl = authority.revoke(authority.issue("other"))
        assert seen({"ca": ca, "crl": crl})[0] == 200
        assert seen({"ca": ca, "crl": authority.revoke(authority.issue("member2"))})[0] == 200
    assert device.desired().loadbalancers[0].pools[0].tls is not None


def test_a_member_that_is_revoked_serves_nobody(device: Device, authority: Authority) -> None:
    port = free_port()
    issued = authority.issue("revoked")
    tls = {"ca": authority.ca.read_text(), "crl": authority.revoke(issued)}
    with Secret(serving(issued)) as member:
        device.pass_(web(port, node("n", member.port), tls=tls))
        assert get(port)[0] == 503


def test_the_name_in_a_certificate_counts_where_the_client_asked_for_one(
    device: Device, authority: Authority
) -> None:
    port = free_port()
    front = {"certificates": [certificate("f", authority.issue("front"))]}
    with Secret(serving(authority.issue("named", names="DNS:localhost"))) as member:
        made = secure(port, member, front)  # type: ignore[arg-type]
        made["loadbalancers"][0]["pools"][0]["tls"] = {"ca": authority.ca.read_text()}
        device.pass_(made)
        context = trusting(authority)
        assert ask(port, context=context, name="localhost").status == 200
        assert ask(port, context=context, name="elsewhere.example").status == 503


@pytest.mark.parametrize("kind", ["HTTP", "TCP", "TLS-HELLO", "HTTPS"])
def test_checks_speak_it_too(device: Device, authority: Authority, kind: str) -> None:
    port = free_port()
    monitor = {"type": kind, "delay": 1, "timeout": 1, "attempts": 1, "attempts_down": 1}
    tls = {"ca": authority.ca.read_text(), "alpn": ["h2", "http/1.1"]}
    with HeadServer(tls=serving(authority.issue(f"check-{kind}"))) as good, HeadServer() as bad:
        nodes = [node("good", good.port), node("bad", bad.port)]
        device.pass_(web(port, *nodes, tls=tls, monitor=monitor))

        def states() -> list[str]:
            reported = device.stats()["loadbalancers"][0]["pools"][0]["nodes"]
            return [item["status"] for item in reported]

        wait_until(lambda: states() == ["UP", "DOWN"], what="the first checks")
        assert [get(port)[0] for _ in range(3)] == [200] * 3


def test_nodes_come_and_go_without_a_lost_request(device: Device, authority: Authority) -> None:
    """With a reload where one comes, at runtime where one goes or has another weight."""
    port = free_port()
    tls = {"ca": authority.ca.read_text()}
    with (
        HeadServer(tls=serving(authority.issue("a"))) as a,
        HeadServer(tls=serving(authority.issue("b"))) as b,
    ):
        device.pass_(web(port, node("a", a.port), tls=tls))
        device.pass_(web(port, node("a", a.port), node("b", b.port), tls=tls))
        assert [get(port)[0] for _ in range(4)] == [200] * 4
        reloads = device.reloads()
        device.pass_(web(port, node("a", a.port, weight=0), node("b", b.port, weight=9), tls=tls))
        device.pass_(web(port, node("b", b.port, weight=9), tls=tls))
        assert get(port)[0] == 200
        assert device.reloads() == reloads


def served(connection: socket.socket) -> str:
    """Who answers the next request of a connection that stays open."""
    connection.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    data = b""
    while b"\r\n\r\n" not in data or not data.endswith((b"one", b"two")):
        data += connection.recv(65536)
    return data[-3:].decode()


def test_one_connection_is_at_one_member(device: Device, one: WebServer, two: WebServer) -> None:
    """By the client's address and port: connections spread, the requests of one do not."""
    port = free_port()
    nodes = [node("one", one.port), node("two", two.port)]
    device.pass_(web(port, *nodes, algorithm="SOURCE_IP_PORT"))
    found: Counter[str] = Counter()
    for _ in range(40):
        with socket.create_connection((LOOPBACK, port), timeout=30) as connection:
            first = served(connection)
            assert [served(connection) for _ in range(4)] == [first] * 4
            found[first] += 1
    assert min(found["one"], found["two"]) >= 3
    device.pass_(web(port, *nodes, node("gone", free_port(), weight=0), algorithm="SOURCE_IP_PORT"))
    device.pass_(web(port, nodes[0], algorithm="SOURCE_IP_PORT"))
    assert (get(port), device.reloads()) == ((200, "one"), 0)


def test_members_are_told_of_the_clients_certificate(
    device: Device, authority: Authority, heads: HeadServer
) -> None:
    """And never what a client says of itself."""
    port = free_port()
    names = ("Verify", "Has-Cert", "DN", "CN", "SHA1", "Not-Before", "Not-After")
    told = {f"X-SSL-Client-{name}": True for name in names} | {"X-SSL-Issuer": True}
    tls: Message = {"certificates": [certificate("s", authority.issue("server"))]}
    tls |= {"client_authentication": "OPTIONAL", "client_ca": authority.ca.read_text()}
    device.pass_(secure(port, heads, tls, insert_headers=told))
    alice = trusting(authority, authority.issue("alice"))
    lines = ask(port, context=alice, headers="X-SSL-Client-CN: root\r\n").body.lower()
    assert "x-ssl-client-verify: 0" in lines
    assert "x-ssl-client-has-cert: 1" in lines
    assert "x-ssl-client-dn: /cn=alice\r" in lines
    assert "x-ssl-client-cn: alice\r" in lines
    assert "x-ssl-issuer: /cn=test-ca\r" in lines
    assert all(f"x-ssl-client-{name}: " in lines for name in ("sha1", "not-before", "not-after"))
    assert "root" not in lines
    nobody = ask(
        port, context=trusting(authority), headers="X-SSL-Client-CN: root\r\n"
    ).body.lower()
    assert "x-ssl-client-has-cert: 0" in nobody
    assert "root" not in nobody
