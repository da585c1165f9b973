"""Pools of 2.0 messages: what checks do, what ties clients, what members are sent, and what goes at runtime."""

import re
from typing import Any

import pytest

from tests.support.certificates import Authority
from tests.support.haproxy import haproxy, haproxy_binary, socket_directory
from tests.support.headers import HeadServer, ask
from tests.support.ports import free_port, wait_until
from tests.support.second import listener, loadbalancer, node, pool, update
from tests.support.seconddevice import Device, Message, authority, device, heads, one, serving
from tests.support.web import WebServer, get

__all__ = ["authority", "device", "haproxy", "haproxy_binary", "heads", "one", "socket_directory"]


def web(port: int, *nodes: Message, **fields: Any) -> Message:
    """One listener, one pool; the fields are the pool's."""
    return update(
        loadbalancer("lb", [listener("li", port, pool="p")], [pool("p", *nodes, **fields)])
    )


def pool_status(device: Device) -> str:
    return str(device.stats()["loadbalancers"][0]["pools"][0]["status"])


def node_states(device: Device) -> dict[str, tuple[str, str | None]]:
    nodes = device.stats()["loadbalancers"][0]["pools"][0]["nodes"]
    return {item["id"]: (item["status"], item["last_check"]) for item in nodes}


def test_a_check_asks_as_it_is_told(device: Device, heads: HeadServer, one: WebServer) -> None:
    """The member is checked at another port, and is down as that one answers otherwise."""
    port = free_port()
    monitor = {"type": "HTTP", "delay": 1, "timeout": 1, "attempts": 1, "attempts_down": 1}
    monitor |= {"method": "HEAD", "path": "/up", "domain_name": "example.com"}
    checked = node("n", one.port, monitor_port=heads.port)

    def desire(codes: str) -> Message:
        pools = [pool("p", checked, monitor={**monitor, "expected_codes": codes})]
        return update(loadbalancer("lb", [listener("li", port, pool="p")], pools))

    device.pass_(desire("200-204"))
    wait_until(lambda: pool_status(device) == "UP", what="a good check")
    assert get(port) == (200, "one")
    device.pass_(desire("500"))
    wait_until(lambda: pool_status(device) == "DOWN", what="a bad check")
    assert get(port)[0] == 503


@pytest.mark.parametrize("kind", ["HTTPS", "TLS-HELLO"])
def test_a_check_speaks_tls(device: Device, authority: Authority, kind: str) -> None:
    """A member that does is up, one that does not is down; added at runtime they are no others."""
    port = free_port()
    monitor = {"type": kind, "delay": 1, "timeout": 1, "attempts": 1, "attempts_down": 1}
    with HeadServer() as plain, HeadServer(tls=serving(authority.issue(kind))) as secret:
        nodes = [node(f"plain-{kind}", plain.port), node(f"tls-{kind}", secret.port)]

        def desire(*extra: Message) -> None:
            device.pass_(web(port, *nodes, *extra, monitor=monitor))

        desire()
        wait_until(
            lambda: [status for status, _ in node_states(device).values()] == ["DOWN", "UP"],
            what="the first checks",
        )
        with HeadServer(tls=serving(authority.issue(f"{kind}-more"))) as third:
            other = {"monitor_address": "127.0.0.1", "monitor_port": plain.port}
            desire(
                node("more", third.port),
                {**node("elsewhere", third.port), "address": "127.0.0.2", **other},
            )
            wait_until(
                lambda: (
                    node_states(device)["more"][0] == "UP"
                    and node_states(device)["elsewhere"][0] == "DOWN"
                ),
                what="the checks of what came",
            )
        assert device.reloads() == 0


def test_as_many_failures_as_it_says_take_a_node_out(device: Device, one: WebServer) -> None:
    """It is up after one good check, and down after three bad ones, which HAProxy counts."""
    port = free_port()
    monitor = {"type": "HTTP", "delay": 1, "timeout": 1, "attempts": 1, "attempts_down": 3}
    device.pass_(web(port, node("n", one.port), monitor=monitor))
    wait_until(lambda: pool_status(device) == "UP", what="a good check")
    one.answer_with(500)

    def row() -> str:
        rows = device.haproxy.admin.ask("show stat").splitlines()
        return next(line for line in rows if line.startswith("be-p,n,"))

    wait_until(lambda: ",UP 2/3," in row(), what="one bad check")
    wait_until(lambda: ",DOWN," in row(), what="three bad checks")


def test_a_cookie_of_the_members_own_ties_clients(device: Device) -> None:
    """Over a reload, too; another pool protocol and a node more change nothing about that."""
    port = free_port()
    persistence = {"type": "APP_COOKIE", "cookie_name": "sid", "timeout_minutes": 5}
    with HeadServer("Set-Cookie: sid=a\r\n") as a, HeadServer("Set-Cookie: sid=b\r\n") as b:
        nodes = [node("a", a.port), node("b", b.port)]
        device.pass_(web(port, *nodes, session_persistence=persistence))

        def served(cookie: str = "") -> str:
            head = ask(port, headers=f"Cookie: sid={cookie}\r\n" if cookie else "").head
            match = re.search("set-cookie: sid=(.)", head)
            assert match is not None
            return match[1]

        assert {served() for _ in range(4)} == {"a", "b"}
        assert [served("a") for _ in range(4)] == ["a"] * 4
        assert [served("b") for _ in range(4)] == ["b"] * 4
        device.pass_(
            web(port, *nodes, session_persistence=persistence, algorithm="LEAST_CONNECTIONS")
        )
        assert device.reloads() == 1
        assert [served("a") for _ in range(4)] == ["a"] * 4
        assert [served("b") for _ in range(4)] == ["b"] * 4


def test_a_cookie_of_haproxys_own_ends(device: Device, heads: HeadServer) -> None:
    """Its value holds a date then, without which it counts for nothing."""
    port = free_port()
    with HeadServer() as other:
        nodes = [node("a", heads.port), node("b", other.port)]
        persistence = {"type": "HTTP_COOKIE", "cookie_name": "sid", "timeout_minutes": 5}
        device.pass_(web(port, *nodes, session_persistence=persistence))
        dated = re.search(r"set-cookie: sid=([ab]\|[^;]+);", ask(port).head)
        assert dated is not None
        kept = ask(port, headers=f"Cookie: sid={dated[1]}\r\n").head
        assert "set-cookie" not in kept
        bare = ask(port, headers=f"Cookie: sid={dated[1][0]}\r\n").head
        assert "set-cookie" in bare
        del persistence["timeout_minutes"]
        device.pass_(web(port, *nodes, session_persistence=persistence))
        assert re.search("set-cookie: sid=[ab];", ask(port).head)


@pytest.mark.parametrize(
    ("protocol", "header"),
    [
        ("PROXY", "PROXY TCP4 127.0.0.9 127.0.0.1 "),
        ("PROXYV2", "\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c\x7f\0\0\t\x7f\0\0\x01"),
    ],
)
def test_the_proxy_header_comes_first(
    device: Device, heads: HeadServer, protocol: str, header: str
) -> None:
    """Also at a node that came at runtime."""
    port = free_port()
    with HeadServer() as gone:
        device.pass_(web(port, node("old", gone.port), protocol=protocol))
    assert ask_raw(port, heads, device, protocol).startswith(header)
    assert device.reloads() == 0


def ask_raw(port: int, heads: HeadServer, device: Device, protocol: str) -> str:
    device.pass_(web(port, node("new", heads.port), protocol=protocol))
    return ask(port, source="127.0.0.9").body


def test_whatever_pools_hold_nodes_come_and_go_at_runtime(device: Device, one: WebServer) -> None:
    ports = [free_port() for _ in range(4)]
    monitor = {"type": "TCP", "delay": 5, "timeout": 1, "attempts": 1}
    kinds: list[Message] = [
        {"protocol": "HTTP", "algorithm": "SOURCE_IP", "monitor": monitor},
        {"protocol": "HTTP", "session_persistence": {"type": "SOURCE_IP", "timeout_minutes": 1}},
        {"protocol": "HTTP", "session_persistence": {"type": "APP_COOKIE", "cookie_name": "x"}},
        {"protocol": "HTTP", "algorithm": "LEAST_CONNECTIONS", "monitor": {**monitor, "type": "HTTP"}},
    ]  # fmt: skip

    def desire(*nodes: Message) -> None:
        device.pass_(
            update(
                *(
                    loadbalancer(
                        f"lb{n}",
                        [listener(f"li{n}", port, pool=f"p{n}")],
                        [pool(f"p{n}", *nodes, **kind)],
                    )
                    for n, (port, kind) in enumerate(zip(ports, kinds, strict=True))
                )
            )
        )

    desire(node("n", free_port()))
    desire(node("n", free_port()), node("more", one.port, weight=5))
    desire(node("more", one.port, weight=7))
    assert [get(port) for port in ports] == [(200, "one")] * 4
    assert device.reloads() == 0
