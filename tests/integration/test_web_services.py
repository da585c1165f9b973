"""Web services through a real HAProxy: which path goes where, and what members see of a request."""

import http.client
import json
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from libra.model.webservice import ALIVE
from tests.support.certificates import Authority
from tests.support.haproxy import DrivenHAProxy, haproxy_binary, socket_directory
from tests.support.headers import HeadServer
from tests.support.ports import LOOPBACK, accepts, free_port
from tests.support.second import DH, listener, loadbalancer, node, pool, update
from tests.support.seconddevice import (
    Device,
    Message,
    authority,
    certificate,
    device,
    heads,
    one,
    trusting,
    two,
)
from tests.support.web import WebServer

__all__ = ["authority", "device", "haproxy_binary", "heads", "one", "socket_directory", "two"]


@pytest.fixture
def haproxy(
    haproxy_binary: Path, socket_directory: Path, tmp_path: Path
) -> Iterator[DrivenHAProxy]:
    driven = DrivenHAProxy(
        haproxy_binary, tmp_path, socket_directory, serving_socket=socket_directory / "s"
    )
    yield driven
    driven.driver.close()


def web(
    port: int, *services: Message, pools: tuple[Message, ...] = (), **fields: object
) -> Message:
    """A listener with these services."""
    return update(
        loadbalancer("lb", [listener("li", port, services=list(services), **fields)], [*pools])
    )


def proxied(path: str, pool: str = "p", **fields: object) -> Message:
    return {"path": path, "type": "reverseproxy", "pool": pool, **fields}


def ask(
    port: int,
    path: str = "/",
    method: str = "GET",
    context: ssl.SSLContext | None = None,
    **headers: str,
) -> tuple[int, dict[str, str], str]:
    """Status, headers with names in lower case, and body."""
    connection = (
        http.client.HTTPSConnection(LOOPBACK, port, timeout=20, context=context)
        if context
        else http.client.HTTPConnection(LOOPBACK, port, timeout=20)
    )
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers={"Host": "shop.example", **named})
        answer = connection.getresponse()
        shown = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, shown, answer.read().decode()
    finally:
        connection.close()


class _Local(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        lines = [line.decode().strip() for line in iter(self.rfile.readline, b"\r\n")]
        named = dict(line.split(": ", 1) for line in lines[1:])
        body = json.dumps({"line": lines[0], **{k.lower(): v for k, v in named.items()}}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self.wfile.write(head.encode() + body)


@contextmanager
def local_server(path: Path) -> Iterator[None]:
    """What stands for the server of web services: it answers with what it was asked."""
    with socketserver.ThreadingUnixStreamServer(str(path), _Local) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def test_the_longest_path_decides_at_the_ends_of_segments(
    device: Device, one: WebServer, two: WebServer
) -> None:
    port = free_port()
    pools = (pool("p", node("n", one.port)), pool("q", node("n", two.port)))
    device.pass_(web(port, proxied("/api/"), proxied("/api/v2", "q"), pools=pools))
    paths = ["/api", "/api/", "/api/x", "/api?a=/api/v2", "/api/v2", "/api/v2/x", "/api/v22"]
    assert [ask(port, path)[2] for path in paths] == ["one"] * 4 + ["two"] * 2 + ["one"]
    for path in ("/", "/apix", "/API", "/x/api", "/%61pi"):
        assert ask(port, path)[0] == 404, path
    device.pass_(web(port, proxied("/api"), proxied("/", "q"), pools=pools))
    assert [ask(port, path)[2] for path in ("/", "/x", "/apix", "/api/v2")] == [
        *["two"] * 3,
        "one",
    ]


@pytest.mark.parametrize(
    ("path", "base", "asked", "seen"),
    [
        ("/", "/", "/a/b?c=d", "/a/b?c=d"),
        ("/a", "/", "/a", "/"),
        ("/a", "/", "/a/", "/"),
        ("/a", "/", "/a/b%20c?x=/a/", "/b%20c?x=/a/"),
        ("/a", "/a/b", "/a", "/a/b"),
        ("/a", "/a/b", "/a/x", "/a/b/x"),
        ("/", "/base", "/x/", "/base/x/"),
        ("/a.b+c", "/d%20e", "/a.b+c/x", "/d%20e/x"),
    ],
)
def test_members_see_the_base_in_place_of_the_path(
    device: Device, heads: HeadServer, path: str, base: str, asked: str, seen: str
) -> None:
    port = free_port()
    device.pass_(
        web(port, proxied(path, base_path=base), pools=(pool("p", node("n", heads.port)),))
    )
    assert ask(port, asked)[2].split("\r\n")[0] == f"GET {seen} HTTP/1.1"


def test_what_members_are_told_of_a_client(device: Device, heads: HeadServer) -> None:
    port = free_port()
    pools = (pool("p", node("n", heads.port)), pool("q", node("n", heads.port)))
    told = proxied("/told", "q", forwarded_port=8443, forwarded_proto="https")
    device.pass_(web(port, proxied("/"), told, pools=pools))
    lie = {"X_Forwarded_For": "1.2.3.4", "X_Real_IP": "1.2.3.4", "X_Libra_Service": "li /"}
    head = ask(port, "/", **lie)[2].lower()
    assert "1.2.3.4" not in head
    assert "x-libra" not in head
    assert f"x-forwarded-for: {LOOPBACK}\r\n" in head
    assert f"x-real-ip: {LOOPBACK}\r\n" in head
    assert "x-forwarded-host: shop.example\r\n" in head
    assert f"x-forwarded-port: {port}\r\n" in head
    assert "x-forwarded-proto: http\r\n" in head
    head = ask(port, "/told")[2].lower()
    assert "x-forwarded-port: 8443\r\n" in head
    assert "x-forwarded-proto: https\r\n" in head


def test_nobody_is_told_of_a_client_twice(
    device: Device, heads: HeadServer, socket_directory: Path
) -> None:
    port = free_port()
    services = (proxied("/"), {"path": "/local", "type": "nodeinfo"})
    pools = (pool("p", node("n", heads.port)),)
    device.pass_(web(port, *services, pools=pools, insert_headers={"X-Forwarded-For": True}))
    head = ask(port, X_Forwarded_For="1.2.3.4")[2].lower()
    assert head.count("x-forwarded-for:") == 1
    with local_server(socket_directory / "s"):
        seen = json.loads(ask(port, "/local", X_Forwarded_For="1.2.3.4")[2])
    assert seen["x-forwarded-for"] == LOOPBACK


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("GET /api/../x HTTP/1.1", "/base/../x"),
        ("GET /api/%2e%2e/x HTTP/1.1", "/base/%2e%2e/x"),
        ("GET /api//x HTTP/1.1", "/base//x"),
        ("GET http://a/api/x HTTP/1.1", "http://a/base/x"),
        ("GET /api/?/api/../ HTTP/1.1", "/base/?/api/../"),
        ("GET //api/x HTTP/1.1", None),
        ("GET /API HTTP/1.1", None),
        ("GET /api;x HTTP/1.1", None),
        ("GET /api%2Fx HTTP/1.1", None),
        ("GET /api%00 HTTP/1.1", None),
        ("OPTIONS * HTTP/1.1", None),
        ("CONNECT a HTTP/1.1", None),
        ("GET http://other.example/api HTTP/1.1", None),
    ],
)
def test_hostile_paths_go_nowhere_else(
    device: Device, heads: HeadServer, line: str, seen: str | None
) -> None:
    """Nobody decodes nor resolves: a path is compared as it comes."""
    port = free_port()
    pools = (pool("p", node("n", heads.port)),)
    device.pass_(web(port, proxied("/api", base_path="/base"), pools=pools))
    answer = say(port, f"{line}\r\nHost: a\r\nConnection: close\r\n\r\n")
    if seen is None:
        assert answer.startswith(("HTTP/1.1 404", "HTTP/1.1 400"))
    else:
        assert f" {seen} HTTP/1.1\r\n" in answer


def say(port: int, text: str) -> str:
    """What comes back until the other side closes."""
    with socket.create_connection((LOOPBACK, port), 20) as connection:
        connection.sendall(text.encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def test_whose_request_it_is_cannot_be_claimed(device: Device, socket_directory: Path) -> None:
    port = free_port()
    device.pass_(web(port, {"path": "/", "type": "nodeinfo"}))
    claims = "x-libra-SERVICE: a\r\nX-Libra-Service: b\r\nx-LIBRA-serving: digest\r\n"
    with local_server(socket_directory / "s"):
        answer = say(port, f"GET / HTTP/1.1\r\nHost: a\r\n{claims}Connection: close\r\n\r\n")
    seen = json.loads(answer.partition("\r\n\r\n")[2])
    assert seen["x-libra-service"] == "li /"
    assert "x-libra-serving" not in seen


def test_a_client_that_is_slow_or_idle_is_given_up(device: Device, one: WebServer) -> None:
    port = free_port()
    pools = (pool("p", node("n", one.port)),)
    device.pass_(web(port, proxied("/"), pools=pools, options={"client_timeout": 1000}))
    for text in ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost:"):
        began = time.monotonic()
        assert say(port, text).startswith("HTTP/1.")
        assert time.monotonic() - began < 5


def test_many_services_and_each_is_found(device: Device) -> None:
    port = free_port()
    paths = [f"/{number}/{'x' * (number % 30)}" for number in range(499)]
    services = [{"path": path, "type": "redirect", "url": f"/to{path}"} for path in paths]
    device.pass_(web(port, *services, {"path": "/", "type": "redirect", "url": "/none"}))
    for path in (*paths[::50], paths[-1]):
        wanted = f"/to{path.rstrip('/')}"
        assert ask(port, f"{path}/below")[1]["location"].rstrip("/") == wanted
    assert ask(port, "/500")[1]["location"] == "/none"


def test_redirects_are_for_get_and_head_and_go_where_they_say(device: Device) -> None:
    port = free_port()
    url = "https://x.example/%20'a'?b=%[src]&c=\"d\"#e"
    device.pass_(web(port, {"path": "/old", "type": "redirect", "url": url, "code": 308}))
    for method in ("GET", "HEAD"):
        status, headers, _ = ask(port, "/old/x?y", method)
        assert (status, headers["location"]) == (308, url)
    status, headers, _ = ask(port, "/old", "POST")
    assert (status, headers["allow"]) == (405, "GET, HEAD")


def test_local_services_are_told_which_one_is_meant(
    device: Device, haproxy: DrivenHAProxy, socket_directory: Path
) -> None:
    port = free_port()
    services = [
        {"path": "/", "type": "static", "directory": "/srv"},
        {"path": "/a b".replace(" ", "%20"), "type": "json", "value": {"nodes": []}},
        {"path": "/info", "type": "nodeinfo"},
    ]
    message = update(loadbalancer("lb", [listener("é %[x]", port, services=services)], []))
    device.pass_(message)
    with local_server(socket_directory / "s"):
        for asked, key in (("/x/y", "/"), ("/a%20b", "/a%20b"), ("/info?a", "/info")):
            seen = json.loads(ask(port, asked, X_Libra_Service="a", X_Libra_Serving="digest")[2])
            assert seen["x-libra-service"] == f"%C3%A9%20%25%5Bx%5D {key}"
            assert seen["line"] == f"GET {asked} HTTP/1.1"
            assert "x-libra-serving" not in seen
    device.restart()
    assert device.desired().loadbalancers[0].listeners[0].services[1].text == '{"nodes":[]}'  # type: ignore[union-attr]


def test_without_services_yet_nothing_is_found_and_without_paths_nobody_is_asked(
    device: Device,
) -> None:
    """A listener without a pool is no web cluster's: nobody's access log shall be filled for it."""
    port, plain = free_port(), free_port()
    listeners = [listener("web", port, services=[]), listener("plain", plain)]
    device.pass_(update(loadbalancer("lb", listeners, [])))
    assert (ask(port)[0], ask(plain)[0]) == (404, 503)
    entries = {item["id"]: item for item in device.stats()["loadbalancers"][0]["listeners"]}
    assert entries["web"]["answers"] is True
    assert "answers" not in entries["plain"]


def test_a_server_that_was_away_is_asked_again(device: Device, socket_directory: Path) -> None:
    port = free_port()
    device.pass_(web(port, {"path": "/", "type": "nodeinfo"}))
    assert ask(port)[0] == 503
    with local_server(socket_directory / "s"):
        assert ask(port)[0] == 200


def test_members_of_a_service_change_at_runtime(
    device: Device, one: WebServer, two: WebServer
) -> None:
    port = free_port()
    device.pass_(web(port, proxied("/"), pools=(pool("p", node("n", one.port)),)))
    reloads = device.reloads()
    both = pool("p", node("n", one.port, weight=0), node("m", two.port))
    device.pass_(web(port, proxied("/"), pools=(both,)))
    assert ask(port)[2] == "two"
    assert device.reloads() == reloads


def test_a_standby_is_loaded_and_does_not_listen(device: Device, one: WebServer) -> None:
    """HAProxy cannot open a listener that it was started without; what it has closed itself it opens again."""
    port = free_port()
    pools = (pool("p", node("n", one.port)),)
    active = web(port, proxied("/"), pools=pools)
    standby = web(port, proxied("/"), pools=pools, enabled=False)
    device.pass_(standby)
    assert not accepts(port)
    (entry,) = device.stats()["loadbalancers"][0]["listeners"]
    assert "answers" not in entry
    reloads = device.reloads()
    for number in range(3):
        device.pass_(active)
        assert ask(port)[2] == "one"
        (entry,) = device.stats()["loadbalancers"][0]["listeners"]
        assert entry["answers"] is True
        assert device.reloads() == reloads + 1, number
        device.pass_(standby)
        assert not accepts(port)
    assert device.reloads() == reloads + 1


def test_promoting_a_standby_costs_the_others_on_its_host_nothing(
    device: Device, one: WebServer, two: WebServer
) -> None:
    """Also where it takes a reload."""
    port, other = free_port(), free_port()
    pools = [pool("p", node("n", one.port)), pool("q", node("m", two.port))]

    def message(*, enabled: bool) -> Message:
        waiting = listener("li", port, services=[proxied("/")], enabled=enabled)
        serving = listener("lo", other, services=[proxied("/", "q")])
        return update(loadbalancer("lb", [waiting, serving], pools))

    device.pass_(message(enabled=False))
    stop, found = threading.Event(), []

    def ask_on() -> None:
        while not stop.is_set():
            found.append(ask(other)[::2])

    clients = [threading.Thread(target=ask_on) for _ in range(2)]
    for client in clients:
        client.start()
    try:
        device.pass_(message(enabled=True))
        assert ask(port)[2] == "one"
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert set(found) == {(200, "two")}


def test_the_order_of_services_is_no_change(device: Device, one: WebServer) -> None:
    port = free_port()
    pools = (pool("p", node("n", one.port)),)
    redirect: Message = {"path": "/old", "type": "redirect", "url": "/"}
    device.pass_(web(port, proxied("/"), redirect, pools=pools))
    reloads = device.reloads()
    device.pass_(web(port, redirect, proxied("/"), pools=pools))
    assert device.reloads() == reloads
    device.pass_(web(port, proxied("/"), {**redirect, "path": "/older"}, pools=pools))
    assert device.reloads() == reloads + 1
    assert ask(port, "/older")[0] == 302
    assert ask(port, "/old")[2] == "one"


def test_one_that_lets_only_some_in_answers(device: Device, one: WebServer) -> None:
    port = free_port()
    pools = (pool("p", node("n", one.port)),)
    device.pass_(web(port, proxied("/"), pools=pools, allowed_cidrs=["10.0.0.0/8"]))
    (entry,) = device.stats()["loadbalancers"][0]["listeners"]
    assert entry["answers"] is True


def test_a_listener_answers_also_where_clients_have_to_show_a_certificate(
    device: Device, authority: Authority, one: WebServer
) -> None:
    port = free_port()
    issued, mine = authority.issue("shop.example"), authority.issue("client")
    tls = {
        "certificates": [certificate("c", issued)],
        "client_authentication": "MANDATORY",
        "client_ca": authority.ca.read_text(),
        "dhparam": DH,
    }
    pools = (pool("p", node("n", one.port)),)
    fields: dict[str, Any] = {"protocol": "TERMINATED_HTTPS", "tls": tls, "hsts": {"max_age": 60}}
    services = (proxied("/api"), {"path": "/old", "type": "redirect", "url": "/new"})
    device.pass_(web(port, *services, pools=pools, **fields))
    (entry,) = device.stats()["loadbalancers"][0]["listeners"]
    assert entry["answers"] is True
    context = trusting(authority, mine)
    for path, status in (("/api", 200), ("/old", 302), ("/none", 404), (ALIVE, 200)):
        found, headers, _ = ask(port, path, context=context)
        assert found == status, path
        assert path == ALIVE or headers["strict-transport-security"] == "max-age=60", path


def test_how_a_listener_takes_connections(device: Device, one: WebServer) -> None:
    port = free_port()
    pools = (pool("p", node("n", one.port)),)
    fields: dict[str, Any] = {"backlog": 50, "threads": 3, "access_log": False}
    device.pass_(web(port, proxied("/"), pools=pools, **fields))
    assert ask(port)[0] == 200
    queues = Path("/proc/net/tcp").read_text()
    assert f":{port:04X} " in queues
    text = device.haproxy.config_file.read_text()
    assert " backlog 50 thread 1-3\n" in text
    assert "    nbthread 3\n" in text or " nbthread " in text
    assert "    no log\n" in text


def test_only_one_kind_of_addresses(device: Device, one: WebServer) -> None:
    port = free_port()
    message = web(port, proxied("/"), pools=(pool("p", node("n", one.port)),), ip_version=6)
    del message["loadbalancers"][0]["address"]
    device.pass_(message)
    assert not accepts(port)
    with socket.create_connection(("::1", port), 5):
        pass
    (entry,) = device.stats()["loadbalancers"][0]["listeners"]
    assert entry["answers"] is True


def test_a_port_that_may_be_shared_is_and_another_is_not(device: Device, one: WebServer) -> None:
    pools = (pool("p", node("n", one.port)),)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind((LOOPBACK, 0))
        other.listen()
        port = other.getsockname()[1]
        assert "another program has it" in device.fail(web(port, proxied("/"), pools=pools))
        device.pass_(web(port, proxied("/"), pools=pools, shared=True))
    assert ask(port)[0] == 200
    device.pass_(web(port, proxied("/"), pools=pools))  # it is its own by now


def test_who_is_no_websocket_is_not_asked_to_be_one(device: Device, heads: HeadServer) -> None:
    port = free_port()
    pools = (pool("p", node("n", heads.port)), pool("q", node("n", heads.port)))
    device.pass_(web(port, proxied("/"), proxied("/ws", "q", websocket=True), pools=pools))
    asked = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13"}
    asked["Sec_WebSocket_Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    assert "upgrade: websocket" not in ask(port, "/", **asked)[2].lower()
    assert "upgrade: websocket" in ask(port, "/ws", **asked)[2].lower()


def test_an_upgraded_connection_is_a_tunnel(device: Device) -> None:
    port = free_port()
    with socketserver.ThreadingTCPServer((LOOPBACK, 0), _Upgrading) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        service = proxied("/ws", websocket=True, tunnel_timeout=60000)
        device.pass_(web(port, service, pools=(pool("p", node("n", server.server_address[1])),)))
        with socket.create_connection((LOOPBACK, port), 5) as connection:
            head = (
                "GET /ws/chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            )
            key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            connection.sendall(f"{head}{key}".encode())
            answer = connection.recv(4096)
            assert answer.startswith(b"HTTP/1.1 101")
            connection.sendall(b"ping")
            assert connection.recv(4096) == b"ping"
        server.shutdown()
        thread.join()


class _Upgrading(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for _line in iter(self.rfile.readline, b"\r\n"):
            pass
        upgrade = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket"
        accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        self.wfile.write(f"{upgrade}\r\n{accept}\r\n\r\n".encode())
        self.wfile.write(self.connection.recv(4096))
