"""2.0 messages make a real HAProxy do what they say: every field is seen in traffic."""

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from libra.messages.replies import passed
from libra.worker.controller import LBaaSController
from libra.worker.state import FileState
from tests.support.certificates import Authority, Certificate
from tests.support.haproxy import (
    DrivenHAProxy,
    haproxy,
    haproxy_binary,
    socket_directory,
)
from tests.support.headers import HeadServer, ask
from tests.support.ports import accepts, free_port, wait_until
from tests.support.second import listener, loadbalancer, node, pool, update
from tests.support.web import WebServer, get

__all__ = ["haproxy", "haproxy_binary", "socket_directory"]

Message = dict[str, Any]


class Device:
    """A controller over a HAProxy, and a restarted one."""

    def __init__(self, haproxy: DrivenHAProxy) -> None:
        self.haproxy = haproxy
        self.path = haproxy.directory / "desired.json"
        self.controller = LBaaSController(haproxy.driver, FileState(self.path))

    def pass_(self, message: Message) -> Message:
        reply = self.controller.handle(message)
        assert passed(reply), reply
        return reply

    def fail(self, message: Message) -> str:
        reply = self.controller.handle(message)
        assert not passed(reply)
        return str(reply["hpcs_error"])

    def restart(self) -> None:
        self.haproxy.driver.close()
        self.haproxy.driver = self.haproxy.new_driver()
        self.controller = LBaaSController(self.haproxy.driver, FileState(self.path))
        self.controller.restore()

    def stats(self) -> Message:
        return self.pass_({"hpcs_action": "STATS"})

    def reloads(self) -> int:
        return self.haproxy.master.show_processes().master.reloads


@pytest.fixture
def device(haproxy: DrivenHAProxy) -> Device:
    return Device(haproxy)


@pytest.fixture
def one() -> Iterator[WebServer]:
    with WebServer("one") as server:
        yield server


@pytest.fixture
def two() -> Iterator[WebServer]:
    with WebServer("two") as server:
        yield server


@pytest.fixture
def heads() -> Iterator[HeadServer]:
    with HeadServer() as server:
        yield server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def simple(port: int, *nodes: Message, **fields: object) -> Message:
    """One listener, one pool; the fields are the listener's."""
    return update(
        loadbalancer("lb", [{**listener("li", port, pool="p"), **fields}], [pool("p", *nodes)])
    )


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


def test_a_check_asks_as_it_is_told(device: Device, heads: HeadServer, one: WebServer) -> None:
    """The member is checked at another port, and is down as that one answers otherwise."""
    port = free_port()
    monitor = {"type": "HTTP", "delay": 1, "timeout": 1, "attempts": 1, "attempts_down": 1}
    monitor |= {"method": "HEAD", "path": "/up", "domain_name": "example.com"}
    checked = node("n", one.port, monitor_port=heads.port)

    def desire(codes: str) -> Message:
        pools = [pool("p", checked, monitor={**monitor, "expected_codes": codes})]
        return update(loadbalancer("lb", [listener("li", port, pool="p")], pools))

    def status() -> str:
        return str(device.stats()["loadbalancers"][0]["pools"][0]["status"])

    device.pass_(desire("200-204"))
    wait_until(lambda: status() == "UP", what="a good check")
    assert get(port) == (200, "one")
    device.pass_(desire("500"))
    wait_until(lambda: status() == "DOWN", what="a bad check")
    assert get(port)[0] == 503


def test_a_cookie_of_the_members_own_ties_clients(device: Device, one: WebServer) -> None:
    """The echo server sets none, so its answers tie nobody; the text shows the rest."""
    port = free_port()
    persistence = {"type": "APP_COOKIE", "cookie_name": "sid", "timeout_minutes": 5}
    pools = [pool("p", node("n", one.port), session_persistence=persistence)]
    device.pass_(update(loadbalancer("lb", [listener("li", port, pool="p")], pools)))
    assert get(port) == (200, "one")
    text = device.haproxy.text()
    assert "stick match req.cook(sid)" in text
    assert "stick-table type string len 64 size 100k expire 5m" in text


def test_the_proxy_header_comes_first(device: Device, heads: HeadServer) -> None:
    port = free_port()
    pools = [pool("p", node("n", heads.port), protocol="PROXY")]
    device.pass_(update(loadbalancer("lb", [listener("li", port, pool="p")], pools)))
    assert ask(port, source="127.0.0.9").body.startswith("PROXY TCP4 127.0.0.9 127.0.0.1 ")


# TLS


def certificate(name: str, issued: Certificate) -> Message:
    return {"id": name, "certificate": issued.cert.read_text(), "key": issued.key.read_text()}


def secure(port: int, server: WebServer | HeadServer, tls: Message, **fields: object) -> Message:
    return simple(port, node("n", server.port), protocol="TERMINATED_HTTPS", tls=tls, **fields)


def trusting(authority: Authority, shown: Certificate | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.ca))
    context.check_hostname = False
    if shown is not None:
        context.load_cert_chain(shown.cert, shown.key)
    return context


def der(issued: Certificate) -> bytes:
    return ssl.PEM_cert_to_DER_cert(issued.cert.read_text())


def shown(port: int, context: ssl.SSLContext, name: str = "localhost") -> bytes | None:
    return ask(port, context=context, name=name).certificate


def test_certificates_by_name(device: Device, one: WebServer, authority: Authority) -> None:
    port = free_port()
    first = authority.issue("first")
    second = authority.issue("second", names="DNS:second.example.com")
    tls = {"certificates": [certificate("1", first), certificate("2", second)]}
    device.pass_(secure(port, one, tls))
    context = trusting(authority)
    assert shown(port, context) == der(first)
    assert shown(port, context, "second.example.com") == der(second)
    assert shown(port, context, "other.example.com") == der(first)


def test_a_renewed_certificate_costs_no_reload_and_no_connection(
    device: Device, one: WebServer, authority: Authority
) -> None:
    port = free_port()
    old, new, last = (authority.issue(f"renewed-{number}") for number in range(3))
    context = trusting(authority)
    device.pass_(secure(port, one, {"certificates": [certificate("1", old)]}))
    assert shown(port, context) == der(old)
    device.pass_(secure(port, one, {"certificates": [certificate("1", new)]}))
    assert shown(port, context) == der(new)
    assert device.reloads() == 0
    device.restart()  # a worker that knows nothing sees that it is the new one
    assert device.reloads() == 0
    device.pass_(secure(port, one, {"certificates": [certificate("1", old)]}))
    assert shown(port, context) == der(old)
    device.pass_(secure(port, one, {"certificates": [certificate("1", last)]}))
    assert device.reloads() == 0
    device.haproxy.driver.stop()
    device.restart()
    assert shown(port, context) == der(last)


def test_a_certificate_that_does_not_fit_its_key_changes_nothing(
    device: Device, one: WebServer, authority: Authority
) -> None:
    port = free_port()
    good, other = authority.issue("fits"), authority.issue("other")
    wrong = {**certificate("1", good), "key": other.key.read_text()}
    context = trusting(authority)
    device.pass_(secure(port, one, {"certificates": [certificate("1", good)]}))
    text = device.haproxy.text()
    for tls in ({"certificates": [wrong]}, {"certificates": [wrong], "alpn": ["h2"]}):
        said = device.fail(secure(port, one, tls))
        assert "cannot use the configuration" in said
        assert "PRIVATE" not in said
    assert device.haproxy.text() == text
    assert shown(port, context) == der(good)
    device.haproxy.driver.stop()
    device.restart()
    assert shown(port, context) == der(good)


def test_clients_show_a_certificate(device: Device, one: WebServer, authority: Authority) -> None:
    port = free_port()
    server, client = authority.issue("server"), authority.issue("client")
    tls = {
        "certificates": [certificate("1", server)],
        "client_authentication": "MANDATORY",
        "client_ca": authority.ca.read_text(),
    }
    device.pass_(secure(port, one, tls))
    assert ask(port, context=trusting(authority, client)).status == 200
    with pytest.raises(OSError):  # noqa: PT011 - TLS 1.3 tells of it late, in one way or another
        ask(port, context=trusting(authority))


def test_versions_protocols_and_hsts(device: Device, one: WebServer, authority: Authority) -> None:
    port = free_port()
    tls = {"certificates": [certificate("1", authority.issue("hsts"))], "versions": ["TLSv1.2"]}
    tls |= {"alpn": ["h2", "http/1.1"], "ciphers": "ECDHE-ECDSA-AES256-GCM-SHA384"}
    hsts = {"max_age": 600, "include_subdomains": True}
    device.pass_(secure(port, one, tls, hsts=hsts, insert_headers={"X-Forwarded-Proto": True}))
    context = trusting(authority)
    answer = ask(port, context=context)
    assert "strict-transport-security: max-age=600; includesubdomains" in answer.head
    with context.wrap_socket(
        socket.create_connection(("127.0.0.1", port), timeout=5), server_hostname="localhost"
    ) as connection:
        assert connection.version() == "TLSv1.2"
        cipher = connection.cipher()
        assert cipher is not None
        assert cipher[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"


def test_keys_are_nobody_elses(device: Device, one: WebServer, authority: Authority) -> None:
    issued = authority.issue("private")
    message = secure(free_port(), one, {"certificates": [certificate("1", issued)]})
    secret = issued.key.read_text().splitlines()[1]
    device.pass_(message)
    holders = [
        path
        for path in device.haproxy.directory.rglob("*")
        if path.is_file() and secret in path.read_text(errors="replace")
    ]
    assert {path.name.split(".")[0] for path in holders} == {"desired", "crt-li+1"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in holders)
    dry = device.pass_({**message, "hpcs_dry_run": True})
    assert secret not in json.dumps(dry["plan"])
    other = certificate("1", authority.issue("next"))
    dry = device.pass_(
        {**secure(free_port(), one, {"certificates": [other]}), "hpcs_dry_run": True}
    )
    assert dry["plan"]["step"] == "reload"
    device.pass_(update())
    assert list(device.haproxy.directory.rglob("*.pem")) == []


# generations


def test_generations_only_go_forward(device: Device, one: WebServer, two: WebServer) -> None:
    port = free_port()
    first = {**simple(port, node("n", one.port)), "hpcs_generation": 5}
    second = {**simple(port, node("n", two.port)), "hpcs_generation": 6}
    digests = [device.pass_(message)["digest"] for message in (first, second, second)]
    assert digests[0] != digests[1] == digests[2]
    assert device.fail(first) == "cannot go back to generation 5: 6 was asked for already"
    assert get(port) == (200, "two")
    statistics = device.stats()
    assert (statistics["digest"], statistics["generation"]) == (digests[1], 6)
    device.restart()
    assert device.fail(first).startswith("cannot go back to generation 5")
    assert device.stats()["digest"] == digests[1]
    empty = device.pass_({**update(), "hpcs_generation": 7})
    assert empty["generation"] == 7
    device.restart()
    assert device.fail(second) == "cannot go back to generation 6: 7 was asked for already"
    device.pass_({"hpcs_action": "DELETE"})
    device.pass_(first)
    assert get(port) == (200, "one")


def test_a_generation_that_runs_is_not_touched(device: Device, one: WebServer) -> None:
    message = {**simple(free_port(), node("n", one.port)), "hpcs_generation": 5}
    device.pass_(message)
    before = (device.haproxy.config_file.stat().st_mtime_ns, device.path.stat().st_mtime_ns)
    device.haproxy.driver.stop()  # and it would be started by anything that looks
    device.pass_(message)
    after = (device.haproxy.config_file.stat().st_mtime_ns, device.path.stat().st_mtime_ns)
    assert after == before


def test_both_versions_follow_each_other(device: Device, one: WebServer, tmp_path: Path) -> None:
    port = free_port()
    old = {
        "hpcs_action": "UPDATE",
        "loadbalancers": [
            {
                "protocol": "HTTP",
                "port": port,
                "bind_address": "127.0.0.1",
                "nodes": [node("n", one.port)],
            }
        ],
    }
    reply = device.pass_(old)
    assert "digest" not in reply
    assert json.loads(device.path.read_bytes())["format"] == 1
    device.pass_(simple(port, node("n", one.port)))
    assert json.loads(device.path.read_bytes())["format"] == 2
    device.pass_(old)
    assert get(port) == (200, "one")
    assert json.loads(device.path.read_bytes())["format"] == 1


def test_one_node_of_many_changes_at_runtime(device: Device, one: WebServer) -> None:
    """200 listeners and 5,000 nodes."""
    port = free_port()
    many = [{"id": f"n{n}", "address": f"10.0.{n >> 8}.{n & 255}", "port": 80} for n in range(4975)]

    def desire(weight: int) -> Message:
        balancers = [
            {
                **loadbalancer(
                    f"lb{n}",
                    [listener(f"li{n}", port, pool=f"p{n}")],
                    [pool(f"p{n}", *(many[n * 25 : n * 25 + 25]))],
                ),
                "address": f"127.1.0.{n + 1}",
            }
            for n in range(199)
        ]
        nodes = [node("n", one.port, weight=weight)]
        last = loadbalancer("last", [listener("last", port, pool="last")], [pool("last", *nodes)])
        return update(*balancers, last)

    device.pass_(desire(1))
    assert get(port) == (200, "one")
    device.pass_(desire(2))
    assert device.reloads() == 0
    states = device.haproxy.admin.ask("show servers state be-last")
    assert " 2 " in states.splitlines()[-1]
