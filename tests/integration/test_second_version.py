"""2.0 messages make a real HAProxy do what they say: every field is seen in traffic."""

import socket

import pytest

from tests.support.haproxy import haproxy, haproxy_binary, socket_directory
from tests.support.headers import HeadServer, ask
from tests.support.ports import accepts, free_port, wait_until
from tests.support.second import listener, loadbalancer, node, pool, update
from tests.support.seconddevice import Device, Message, device, heads, one, simple, two
from tests.support.web import EchoServer, WebServer, get

__all__ = ["device", "haproxy", "haproxy_binary", "heads", "one", "socket_directory", "two"]


def test_listeners_share_a_pool_and_one_has_none(
    device: Device, one: WebServer, two: WebServer
) -> None:
    ports = [free_port() for _ in range(4)]
    listeners = [
        listener("a", ports[0], pool="p"),
        listener("b", ports[1], pool="p"),
        listener("c", ports[2]),
        listener("d", ports[3], protocol="TCP"),
    ]
    pools = [pool("p", node("n", one.port)), pool("unused", node("m", two.port))]
    device.pass_(update(loadbalancer("lb", listeners, pools)))
    assert {get(ports[0]), get(ports[1])} == {(200, "one")}
    assert get(ports[2])[0] == 503
    with pytest.raises(OSError):  # noqa: PT011 - closed in one way or another
        ask(ports[3])
    (entry,) = device.stats()["loadbalancers"]
    counted = {item["id"]: item["total_sessions"] for item in entry["listeners"]}
    assert (counted["a"], counted["b"], counted["c"]) == (1, 1, 1)
    assert [item["id"] for item in entry["pools"]] == ["p"]
    assert entry["pools"][0]["nodes"][0]["total_sessions"] == 2
    assert {item["status"] for item in entry["listeners"]} == {"OPEN"}


def test_many_load_balancers_on_addresses_of_their_own(
    device: Device, one: WebServer, two: WebServer
) -> None:
    port = free_port()
    servers = {"127.0.1.11": one, "127.0.1.12": two}
    device.pass_(
        update(
            *(
                {
                    **loadbalancer(
                        address,
                        [listener(f"li-{address}", port, pool=f"p-{address}")],
                        [pool(f"p-{address}", node("n", server.port))],
                    ),
                    "address": address,
                }
                for address, server in servers.items()
            )
        )
    )
    assert [get(port, host=address)[1] for address in servers] == ["one", "two"]
    assert not accepts(port)


def test_what_is_not_enabled_is_refused_until_it_is(device: Device, one: WebServer) -> None:
    port = free_port()
    message = simple(port, node("n", one.port))
    (item,) = message["loadbalancers"]
    device.pass_(message)
    assert get(port) == (200, "one")
    item["enabled"] = False
    device.pass_(message)
    assert not accepts(port)
    assert device.stats()["loadbalancers"][0]["status"] == "SUSPENDED"
    item["enabled"] = True
    item["listeners"][0]["enabled"] = False
    device.pass_(message)
    assert not accepts(port)
    item["listeners"][0]["enabled"] = True
    item["pools"][0]["enabled"] = False
    device.pass_(message)
    assert get(port)[0] == 503
    item["pools"][0]["enabled"] = True
    device.pass_(message)
    assert get(port) == (200, "one")
    assert device.reloads() == 0


def test_only_allowed_networks_get_in_and_change_without_a_reload(
    device: Device, one: WebServer
) -> None:
    port = free_port()

    def allow(*cidrs: str) -> None:
        device.pass_(simple(port, node("n", one.port), allowed_cidrs=list(cidrs)))

    def gets_in(source: str) -> bool:
        try:
            return ask(port, source=source).status == 200
        except OSError:
            return False

    allow("127.0.0.1/32", "127.2.0.0/16", "fd00::/8")
    assert [gets_in(item) for item in ("127.0.0.1", "127.2.3.4", "127.3.0.1")] == [
        True,
        True,
        False,
    ]
    allow("127.3.0.0/16")
    assert [gets_in(item) for item in ("127.0.0.1", "127.2.3.4", "127.3.0.1")] == [
        False,
        False,
        True,
    ]
    assert device.reloads() == 0
    device.haproxy.driver.stop()
    device.restart()
    assert (gets_in("127.0.0.1"), gets_in("127.3.0.1")) == (False, True)


def test_members_are_told_what_was_asked_for(device: Device, heads: HeadServer) -> None:
    port = free_port()
    names = ("X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Real-IP")
    wanted = dict.fromkeys(names, "true")
    device.pass_(simple(port, node("n", heads.port), insert_headers=wanted))
    sent = ask(port, source="127.0.0.9", headers="X-Forwarded-Proto: https\r\n").body.lower()
    assert "x-forwarded-for: 127.0.0.9" in sent
    assert f"x-forwarded-port: {port}" in sent
    assert "x-forwarded-proto: http\r" in sent
    assert "x-real-ip: 127.0.0.9" in sent


def test_ipv6_and_its_networks(device: Device, one: WebServer) -> None:
    port, both, shut = free_port(), free_port(), free_port()
    listeners = [
        listener("six", port, bind_address="::1", allowed_cidrs=["::1/128"], pool="p"),
        listener("both", both, bind_address="::", allowed_cidrs=["127.0.0.0/8"], pool="p"),
        listener("shut", shut, bind_address="::1", allowed_cidrs=["fd00::/8"], pool="p"),
    ]
    device.pass_(update(loadbalancer("lb", listeners, [pool("p", node("n", one.port))])))
    assert get(port, host="::1") == (200, "one")
    assert not accepts(port)
    assert get(both) == (200, "one")
    for wrong in (both, shut):
        with pytest.raises(OSError):  # noqa: PT011 - closed in one way or another
            get(wrong, host="::1")


def test_https_is_passed_through_as_it_is(device: Device) -> None:
    port = free_port()
    with EchoServer("echo") as echo:
        pools = [pool("p", node("n", echo.port), protocol="HTTPS")]
        listeners = [listener("li", port, protocol="HTTPS", pool="p")]
        device.pass_(update(loadbalancer("lb", listeners, pools)))
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            assert connection.recv(100) == b"echo\n"
            connection.sendall(b"\x16\x03\x01")
            assert connection.recv(100) == b"\x16\x03\x01"


def test_the_log_of_a_load_balancer_is_that_of_all_its_listeners(
    device: Device, one: WebServer
) -> None:
    ports = [free_port() for _ in range(3)]

    def build(name: str, *own: int) -> Message:
        listeners = [listener(f"{name}-{port}", port, pool=name) for port in own]
        return loadbalancer(name, listeners, [pool(name, node("n", one.port))])

    device.pass_(update(build("lb", *ports[:2]), build("other", ports[2])))
    for port in (*ports, ports[0]):
        assert get(port) == (200, "one")
    (wanted, _) = device.desired().loadbalancers

    def lines() -> bytes:
        with device.haproxy.driver.access_log(wanted) as blocks:
            return b"".join(blocks)

    wait_until(lambda: lines().count(b"\n") == 3, what="three lines")
    assert [lines().count(f"fe-lb-{port} ".encode()) for port in ports] == [2, 1, 0]


def test_what_is_told_of_a_load_balancer_without_members(device: Device, one: WebServer) -> None:
    first, second = free_port(), free_port()
    device.pass_(
        update(
            loadbalancer("none", [], []),
            loadbalancer("bare", [listener("a", first)], []),
            loadbalancer("empty", [listener("b", second, pool="p")], [pool("p")]),
        )
    )
    statuses = {item["id"]: item["status"] for item in device.stats()["loadbalancers"]}
    assert statuses == {"none": "ONLINE", "bare": "ONLINE", "empty": "ERROR"}
    assert get(second)[0] == 503
