"""Policies of 2.0 messages: what each rule looks at, and what happens to requests, through HAProxy."""

import socket
import ssl
from typing import Any

import pytest

from tests.support.certificates import Authority
from tests.support.haproxy import haproxy, haproxy_binary, socket_directory
from tests.support.load import Load
from tests.support.ports import LOOPBACK, free_port, wait_until
from tests.support.second import listener, loadbalancer, node, pool, update
from tests.support.seconddevice import (
    Device,
    Message,
    authority,
    certificate,
    device,
    one,
    trusting,
    two,
)
from tests.support.web import WebServer, get

__all__ = ["authority", "device", "haproxy", "haproxy_binary", "one", "socket_directory", "two"]


def rule(kind: str, compare: str, value: str, key: str | None = None, **more: Any) -> Message:
    return {"type": kind, "compare_type": compare, "value": value, "key": key, **more}


def policy(name: str, *rules: Message, action: str = "REDIRECT_TO_URL", **fields: Any) -> Message:
    url = {"url": f"http://elsewhere.example/{name}"} if action == "REDIRECT_TO_URL" else {}
    return {"id": name, "action": action, "rules": list(rules), **url, **fields}


def fetch(
    port: int, path: str = "/", *headers: str, host: str = "test", tls: Any = None
) -> tuple[int, str]:
    """The status of one request, and where it is sent."""
    head = "".join(f"{line}\r\n" for line in headers)
    text = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{head}Connection: close\r\n\r\n"
    plain = socket.create_connection((LOOPBACK, port), timeout=30)
    with tls.wrap_socket(plain, server_hostname="localhost") if tls else plain as connection:
        connection.sendall(text.encode("latin-1"))
        data = b""
        while block := connection.recv(65536):
            data += block
    lines = data.decode("latin-1").split("\r\n")
    found = [line.split(" ", 1)[1] for line in lines if line.lower().startswith("location:")]
    return int(lines[0].split(" ")[1]), found[0] if found else ""


def placed(port: int, nodes: list[Message], *policies: Message, **fields: Any) -> Message:
    """The default pool has the first of the nodes, the pool "other" the second."""
    pools = [pool("p", nodes[0]), *([pool("other", nodes[1])] if len(nodes) > 1 else [])]
    made = listener("li", port, pool="p", policies=list(policies), **fields)
    return update(loadbalancer("lb", [made], pools))


# What fits, and what nearly does: a path, headers, a host.
RULES: dict[str, tuple[Message, tuple[Any, ...], tuple[Any, ...]]] = {
    "host": (rule("HOST_NAME", "EQUAL_TO", "Shop.example"), ("/", "", "shop.EXAMPLE:8080"), ("/", "", "ashop.example")),
    "host-port": (rule("HOST_NAME", "EQUAL_TO", "b.example:81"), ("/", "", "b.example:81"), ("/", "", "b.example")),
    "host-end": (rule("HOST_NAME", "ENDS_WITH", ".c.example"), ("/", "", "x.c.example"), ("/", "", "xc.example")),
    "path-start": (rule("PATH", "STARTS_WITH", "/a"), ("/ab", "", ""), ("/A", "", "")),
    "path-equal": (rule("PATH", "EQUAL_TO", "/equal"), ("/equal?x=1", "", ""), ("/equal/", "", "")),
    "path-end": (rule("PATH", "ENDS_WITH", "}"), ("/}", "", ""), ("/}x", "", "")),
    "path-in": (rule("PATH", "CONTAINS", "$HOME"), ("/x$HOME/y", "", ""), ("/x/root/y", "", "")),
    "path-re": (rule("PATH", "REGEX", "^/(reg|ex)[0-9]{2}$"), ("/reg12", "", ""), ("/reg123", "", "")),
    "file": (rule("FILE_TYPE", "EQUAL_TO", "jpg"), ("/d.x/y.png.jpg?q=.gif", "", ""), ("/y.jpg/z", "", "")),
    "file-re": (rule("FILE_TYPE", "REGEX", "^(gif|png)$"), ("/x.png", "", ""), ("/png", "", "")),
    "header": (rule("HEADER", "EQUAL_TO", "it's", "X-Kind"), ("/", "X-kind: a, it's", ""), ("/", "X-Kind: its", "")),
    "header-comma": (rule("HEADER", "STARTS_WITH", "a,b", "X-Two"), ("/", "X-Two: a,b", ""), ("/", "X-Two: a", "")),
    "header-dash": (rule("HEADER", "CONTAINS", "-f /x", "X-Dash"), ("/", "X-Dash: -f /x", ""), ("/", "X: x", "")),
    "cookie": (rule("COOKIE", "EQUAL_TO", "%[src]", "s"), ("/", "Cookie: a=b; s=%[src]", ""), ("/", "Cookie: s=1", "")),
}  # fmt: skip


def test_every_rule_fits_what_it_says(device: Device, one: WebServer) -> None:
    port = free_port()
    policies = [policy(name, given) for name, (given, _, _) in RULES.items()]
    device.pass_(placed(port, [node("n", one.port)], *policies))
    for name, (_, hit, miss) in RULES.items():
        for (path, header, host), wanted in ((hit, 302), (miss, 200)):
            headers = (header,) if header else ()
            status, where = fetch(port, path, *headers, host=host or "test")
            assert (status, where) == (
                wanted,
                f"http://elsewhere.example/{name}" if wanted == 302 else "",
            ), name


def test_all_rules_must_fit_and_some_inverted(device: Device, one: WebServer) -> None:
    port = free_port()
    rules = [
        rule("PATH", "STARTS_WITH", "/a"),
        rule("HEADER", "EQUAL_TO", "1", "X-Key", invert=True),
    ]
    device.pass_(placed(port, [node("n", one.port)], policy("deny", *rules, action="REJECT")))
    assert fetch(port, "/a")[0] == 403
    assert fetch(port, "/a", "X-Key: 1")[0] == 200
    assert fetch(port, "/b")[0] == 200


def test_what_is_done_with_requests(device: Device, one: WebServer, two: WebServer) -> None:
    """To another pool, elsewhere with each code, refused; and the order: what rejects first, then by position."""
    port = free_port()
    nodes = [node("n", one.port), node("m", two.port)]
    codes = [
        policy(
            f"c{code}", rule("PATH", "EQUAL_TO", f"/{code}"), code=code, url="https://b/%20?c='d'"
        )
        for code in (301, 302, 303, 307, 308)
    ]
    prefix = policy(
        "prefix",
        rule("PATH", "STARTS_WITH", "/pre"),
        action="REDIRECT_PREFIX",
        url="https://b.example/x",
    )
    to_pool = policy(
        "pool", rule("PATH", "STARTS_WITH", "/api"), action="REDIRECT_TO_POOL", pool="other"
    )
    first = policy("first", rule("PATH", "STARTS_WITH", "/api/go"))
    second = policy("second", rule("PATH", "STARTS_WITH", "/api/go/on"))
    reject = policy("no", rule("HEADER", "EQUAL_TO", "1", "X-Bad"), action="REJECT")
    device.pass_(placed(port, nodes, *codes, prefix, to_pool, first, second, reject))
    for code in (301, 302, 303, 307, 308):
        assert fetch(port, f"/{code}") == (code, "https://b/%20?c='d'")
    assert fetch(port, "/pre/a?b=c") == (302, "https://b.example/x/pre/a?b=c")
    assert (get(port), get(port, "/api/x")) == ((200, "one"), (200, "two"))
    assert fetch(port, "/api/go/on") == (302, "http://elsewhere.example/first")
    assert fetch(port, "/api/x", "X-Bad: 1")[0] == 403
    assert fetch(port, "/api/go", "X-Bad: 1")[0] == 403  # though a redirect stands before it
    device.pass_(placed(port, nodes, second, first))
    assert fetch(port, "/api/go/on") == (302, "http://elsewhere.example/second")
    device.pass_(placed(port, nodes))
    assert get(port, "/api/go/on") == (200, "one")


def test_a_policys_pool_alone_serves_and_is_reported(device: Device, two: WebServer) -> None:
    port = free_port()
    given = policy("pool", rule("PATH", "STARTS_WITH", "/api"), action="REDIRECT_TO_POOL", pool="q")
    made = listener("li", port, policies=[given])

    def desire(*nodes: Message) -> None:
        device.pass_(update(loadbalancer("lb", [made], [pool("q", *nodes)])))

    desire(node("gone", free_port()))
    desire(node("m", two.port))
    assert (get(port, "/api"), get(port)[0]) == ((200, "two"), 503)
    (reported,) = device.stats()["loadbalancers"][0]["pools"]
    assert [item["id"] for item in reported["nodes"]] == ["m"]
    assert device.reloads() == 0  # its nodes come and go at runtime, as those of other pools


def test_rules_about_clients_certificates(
    device: Device, authority: Authority, one: WebServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A bad certificate passes the handshake only where a rule asks for it, and then only to that policy."""
    port = free_port()
    shown = certificate("c", authority.issue("site"))
    ca = authority.ca.read_text()
    stranger = Authority(tmp_path_factory.mktemp("strangers"))
    tls = {"certificates": [shown], "client_authentication": "OPTIONAL", "client_ca": ca}
    policies = [
        policy("field", rule("SSL_DN_FIELD", "STARTS_WITH", "ali", "CN")),
        policy("has", rule("SSL_CONN_HAS_CERT", "EQUAL_TO", "True"), rule("PATH", "EQUAL_TO", "/has")),
        policy("none", rule("SSL_CONN_HAS_CERT", "EQUAL_TO", "true", invert=True), rule("PATH", "EQUAL_TO", "/none")),
    ]  # fmt: skip
    judging = policy(
        "bad",
        rule("SSL_VERIFY_RESULT", "EQUAL_TO", "0", invert=True),
        rule("PATH", "EQUAL_TO", "/bad"),
    )

    def desire(*given: Message) -> None:
        nodes = [node("n", one.port)]
        device.pass_(placed(port, nodes, *given, protocol="TERMINATED_HTTPS", tls=tls))

    desire(*policies)
    alice, bob = (trusting(authority, authority.issue(name)) for name in ("alice", "bob"))
    mallory = trusting(authority, stranger.issue("mallory"))
    nobody = trusting(authority)
    assert fetch(port, "/", tls=alice) == (302, "http://elsewhere.example/field")
    assert fetch(port, "/has", tls=bob) == (302, "http://elsewhere.example/has")
    assert (fetch(port, "/has", tls=nobody)[0], fetch(port, "/none", tls=bob)[0]) == (200, 200)
    assert fetch(port, "/none", tls=nobody) == (302, "http://elsewhere.example/none")
    with pytest.raises((ssl.SSLError, OSError)):
        fetch(port, "/bad", tls=mallory)
    desire(*policies, judging)
    assert fetch(port, "/bad", tls=mallory) == (302, "http://elsewhere.example/bad")
    assert fetch(port, "/", tls=mallory)[0] == 403
    assert (fetch(port, "/bad", tls=bob)[0], fetch(port, "/bad", tls=nobody)[0]) == (200, 200)


def test_changes_of_policies_cost_no_request(
    device: Device, one: WebServer, two: WebServer
) -> None:
    """Of any kind of client, while policies come, change and go, with their pools."""
    port = free_port()
    nodes = [node("n", one.port), node("m", two.port)]
    to_pool = policy("pool", rule("PATH", "EQUAL_TO", "/"), action="REDIRECT_TO_POOL", pool="other")
    reject = policy("no", rule("HEADER", "EQUAL_TO", "1", "X-Bad"), action="REJECT")
    device.pass_(placed(port, nodes))
    with Load(port) as load:
        for wanted in (
            [reject],
            [to_pool],
            [reject, to_pool],
            [policy("go", rule("PATH", "REGEX", "^/x"))],
            [],
        ):
            before = load.total
            device.pass_(placed(port, nodes, *wanted))
            wait_until(lambda least=before + 200: load.total > least, what="requests")  # type: ignore[misc]
    assert load.failures == []
    assert device.reloads() == 5
