"""Each field of Octavia's API, and what clients and members see of it, through a controller, a worker and HAProxy."""

import re
import shutil
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import Authority, Certificate
from tests.support.control import LBAAS
from tests.support.haproxy import find_haproxy, stop_master
from tests.support.headers import Answer, HeadServer, ask
from tests.support.ports import free_port
from tests.support.seconddevice import authority, serving, trusting
from tests.support.trafficlab import POOL, Site, TrafficLab, target
from tests.support.web import EchoServer, WebServer, get

__all__ = ["authority"]
MONITOR = {"type": "HTTP", "delay": 1, "timeout": 1, "max_retries": 1, "max_retries_down": 1}
Json = dict[str, Any]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrafficLab]:
    sockets = Path(tempfile.mkdtemp(prefix="lb"))
    lab = TrafficLab(find_haproxy("system"), tmp_path_factory.mktemp("traffic"), sockets)
    yield lab
    lab.close()
    stop_master(sockets / "m")
    shutil.rmtree(sockets, ignore_errors=True)


@pytest.fixture(scope="module")
def one() -> Iterator[WebServer]:
    with WebServer("one") as server:
        yield server


@pytest.fixture(scope="module")
def two() -> Iterator[WebServer]:
    with WebServer("two") as server:
        yield server


@pytest.fixture(scope="module")
def heads() -> Iterator[HeadServer]:
    with HeadServer() as server:
        yield server


def body(site: Site, path: str = "/") -> str:
    """Who answers."""
    return get(site.port, path, host=site.address)[1]


def see(site: Site, **fields: Any) -> Answer:
    return ask(site.port, host=site.address, **fields)


def connect(site: Site) -> socket.socket:
    return socket.create_connection((site.address, site.port), timeout=5)


def line_of(connection: socket.socket) -> str:
    with connection.makefile("rb", buffering=0) as file:
        return file.readline().decode().strip()


def certificate(lab: TrafficLab, issued: Certificate | str, kind: str = "certificate") -> str:
    given = {
        "type": kind,
        "certificate": issued if isinstance(issued, str) else issued.cert.read_text(),
    }
    if isinstance(issued, Certificate) and kind == "certificate":
        given["key"] = issued.key.read_text()
    return str(lab.post("/v1/certificates", given)["certificate"]["id"])


# Listeners


def test_tcp_and_what_is_passed_through(lab: TrafficLab, authority: Authority) -> None:
    with EchoServer("echo") as echo:
        pool = {"protocol": "TCP"}
        site = lab.serve(target(echo.port), protocol="TCP", pool=pool)
        with connect(site) as connection:
            assert line_of(connection) == "echo"
    issued = authority.issue("through")
    with HeadServer(tls=serving(issued)) as secret:
        site = lab.serve(target(secret.port), protocol="HTTPS", pool={"protocol": "HTTPS"})
        shown = see(site, context=trusting(authority)).certificate
        assert shown == ssl.PEM_cert_to_DER_cert(issued.cert.read_text())


def test_tls_ends_here(lab: TrafficLab, authority: Authority, heads: HeadServer) -> None:
    """Certificates by name, versions, ciphers, protocols, HSTS, and clients' own certificates with revocations."""
    first, other = authority.issue("first"), authority.issue("other", names="DNS:other.example")
    alice, mallory = authority.issue("alice"), authority.issue("mallory2")
    refs = {
        "default_tls_container_ref": certificate(lab, first),
        "sni_container_refs": [certificate(lab, other)],
    }
    site = lab.serve(
        target(heads.port), protocol="TERMINATED_HTTPS", **refs, hsts_max_age=99, hsts_preload=True,
        hsts_include_subdomains=True, insert_headers={"X-Forwarded-Proto": "true", "X-SSL-Client-CN": "true"},
    )  # fmt: skip
    listener = f"listeners/{site.listener}"
    context = trusting(authority)
    context.set_alpn_protocols(["h2"])
    with context.wrap_socket(connect(site), server_hostname="localhost") as connection:
        assert (connection.selected_alpn_protocol(), connection.version()) == ("h2", "TLSv1.3")
    plain = trusting(authority)
    answer = see(site, context=plain)
    assert answer.certificate == ssl.PEM_cert_to_DER_cert(first.cert.read_text())
    assert "strict-transport-security: max-age=99; includesubdomains; preload" in answer.head
    assert "x-forwarded-proto: https" in answer.body.lower()
    shown = see(site, context=plain, name="other.example").certificate
    assert shown == ssl.PEM_cert_to_DER_cert(other.cert.read_text())
    cipher = "ECDHE-ECDSA-AES256-GCM-SHA384"
    site.put(
        listener,
        listener={
            "tls_versions": ["TLSv1.2"],
            "tls_ciphers": cipher,
            "alpn_protocols": ["http/1.1"],
        },
    )
    with context.wrap_socket(connect(site), server_hostname="localhost") as connection:
        assert (connection.version(), connection.cipher()[0]) == ("TLSv1.2", cipher)  # type: ignore[index]
        assert connection.selected_alpn_protocol() is None
    ca = certificate(lab, authority.ca.read_text(), "ca")
    crl = certificate(lab, authority.revoke(mallory), "crl")
    wanted = {"client_authentication": "MANDATORY", "client_ca_tls_container_ref": ca}
    site.put(listener, listener={**wanted, "client_crl_container_ref": crl})
    assert "x-ssl-client-cn: alice" in see(site, context=trusting(authority, alice)).body.lower()
    for context in (trusting(authority), trusting(authority, mallory)):
        with pytest.raises((ssl.SSLError, OSError)):
            see(site, context=context)


def test_prometheus_is_told_of_one_load_balancer(lab: TrafficLab, one: WebServer) -> None:
    site = lab.serve(target(one.port))
    assert body(site) == "one"
    made = site.post(
        "listeners",
        listener={
            "loadbalancer_id": site.key,
            "protocol": "PROMETHEUS",
            "protocol_port": free_port(),
        },
    )["listener"]
    port = made["protocol_port"]
    assert body(site) == "one"

    def text() -> str:
        return get(port, "/metrics", host=site.address)[1]

    assert re.search(
        rf'^octavia_listener_requests_total{{listener="{site.listener}"}} [1-9]',
        text(),
        re.MULTILINE,
    )
    pool, member = site.pools["p"]["id"], site.pools["p"]["members"][0]["id"]
    assert f'octavia_member_status{{pool="{pool}",member="{member}"}} 1' in text()
    other = lab.serve(target(one.port))
    assert other.listener not in text()
    assert set(re.findall('listener="([^"]*)"', text())) == {site.listener, made["id"]}
    assert get(port, "/", host=site.address)[0] == 404
    refused = {"loadbalancer_id": site.key, "protocol": "PROMETHEUS", "protocol_port": free_port()}
    lab.post(f"{LBAAS}/listeners", {"listener": {**refused, "default_pool_id": pool}}, 400)
    lab.post(
        f"{LBAAS}/listeners",
        {"listener": {**refused, "insert_headers": {"X-Real-IP": "true"}}},
        400,
    )
    lab.post(
        f"{LBAAS}/l7policies", {"l7policy": {"listener_id": made["id"], "action": "REJECT"}}, 400
    )


def test_headers_tell_members_of_clients(lab: TrafficLab, heads: HeadServer) -> None:
    names = ("For", "Port", "Proto", "IP")
    wanted = {f"X-Forwarded-{name}": "true" for name in names} | {
        "X-Client-IP": "true",
        "X-Real-IP": "true",
    }
    site = lab.serve(target(heads.port), insert_headers=wanted)
    told = see(site, source="127.0.0.7", headers="X-Real-IP: 6.6.6.6\r\n").body.lower()
    for name in ("x-forwarded-for", "x-forwarded-ip", "x-client-ip", "x-real-ip"):
        assert f"{name}: 127.0.0.7\r" in told, name
    assert f"x-forwarded-port: {site.port}\r" in told
    assert "x-forwarded-proto: http\r" in told
    assert "6.6.6.6" not in told
    site.put(f"listeners/{site.listener}", listener={"insert_headers": {"X-Real-IP": "false"}})
    assert "x-real-ip" not in see(site).body.lower()


def test_who_may_come_and_how_many(lab: TrafficLab, one: WebServer) -> None:
    site = lab.serve(target(one.port), allowed_cidrs=["127.0.0.8/32"])
    listener = f"listeners/{site.listener}"
    assert see(site, source="127.0.0.8").status == 200
    with pytest.raises(ConnectionError):
        see(site, source="127.0.0.9")
    reloads = lab.haproxy.master.show_processes().master.reloads
    site.put(listener, listener={"allowed_cidrs": ["127.0.0.0/8"]})
    assert see(site, source="127.0.0.9").status == 200
    assert lab.haproxy.master.show_processes().master.reloads == reloads
    site.put(listener, listener={"connection_limit": "1", "allowed_cidrs": None})
    with connect(site) as first, connect(site) as second:
        first.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert line_of(first) == "HTTP/1.1 200 OK"
        second.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        second.settimeout(0.5)
        with pytest.raises(TimeoutError):
            second.recv(1)
    site.put(listener, listener={"admin_state_up": False})
    with pytest.raises(ConnectionError):
        see(site)
    site.put(listener, listener={"admin_state_up": True})
    assert see(site).status == 200


def seconds(wait: Callable[[], object]) -> float:
    begun = time.monotonic()
    wait()
    return time.monotonic() - begun


def test_timeouts_end_what_hangs(lab: TrafficLab) -> None:
    """The client's, the member's; how long a connection may take, of a member that never takes it."""
    silent = socket.create_server(("127.0.0.1", 0), backlog=0)
    held = [socket.create_connection(silent.getsockname()) for _ in range(1)]
    with silent, EchoServer("echo") as echo, socket.create_server(("127.0.0.1", 0)) as mute:
        site = lab.serve(
            target(echo.port), protocol="TCP", pool={"protocol": "TCP"}, timeout_client_data=700
        )
        with connect(site) as connection:
            assert line_of(connection) == "echo"
            assert 0.3 < seconds(lambda: connection.recv(1)) < 4
        times = {"timeout_member_data": 700, "timeout_member_connect": 600}
        site = lab.serve(target(mute.getsockname()[1]), **times)
        assert 0.3 < seconds(lambda: see(site)) < 4
        assert see(site).status == 504
        full = lab.serve(target(silent.getsockname()[1]), **times)
        assert seconds(lambda: see(full)) < 10
        assert see(full).status in (503, 504)
    for connection in held:
        connection.close()


# Pools


def test_algorithms_spread(lab: TrafficLab, one: WebServer, two: WebServer) -> None:
    site = lab.serve(target(one.port), target(two.port, weight=3))
    pool = f"pools/{site.pools['p']['id']}"
    assert sorted(body(site) for _ in range(8)) == ["one"] * 2 + ["two"] * 6
    site.put(pool, pool={"lb_algorithm": "LEAST_CONNECTIONS"})
    assert {body(site) for _ in range(8)} == {"one", "two"}
    site.put(pool, pool={"lb_algorithm": "SOURCE_IP"})
    by_client = {n: {get_from(site, f"127.0.0.{n}") for _ in range(3)} for n in range(2, 30)}
    assert all(len(found) == 1 for found in by_client.values())
    assert {name for found in by_client.values() for name in found} == {"one", "two"}
    site.put(pool, pool={"lb_algorithm": "SOURCE_IP_PORT"})
    assert {body(site) for _ in range(40)} == {"one", "two"}


def get_from(site: Site, source: str) -> str:
    return see(site, source=source).body


def test_clients_stay(lab: TrafficLab, one: WebServer, two: WebServer) -> None:
    """By address, by a cookie of HAProxy's, by one of the members' own."""
    site = lab.serve(
        target(one.port), target(two.port), pool={"session_persistence": {"type": "SOURCE_IP"}}
    )
    pool = f"pools/{site.pools['p']['id']}"
    assert len({body(site) for _ in range(6)}) == 1
    site.put(pool, pool={"session_persistence": {"type": "HTTP_COOKIE"}})
    answer = see(site)
    cookie = re.search("set-cookie: ([^;]+);", answer.head)
    assert cookie
    kept = {see(site, headers=f"Cookie: {cookie[1]}\r\n").body for _ in range(6)}
    assert kept == {answer.body}
    with HeadServer("Set-Cookie: sid=a\r\n") as a, HeadServer("Set-Cookie: sid=b\r\n") as b:
        tied = {"session_persistence": {"type": "APP_COOKIE", "cookie_name": "sid"}}
        site = lab.serve(target(a.port), target(b.port), pool=tied)
        for name in ("a", "b"):
            wait = [see(site) for _ in range(4)]
            assert any(f"sid={name}" in item.head for item in wait)
            heads = {
                re.search("sid=(.)", see(site, headers=f"Cookie: sid={name}\r\n").head)[1]
                for _ in range(4)
            }  # type: ignore[index]
            assert heads == {name}


@pytest.mark.parametrize(
    ("protocol", "start"), [("PROXY", "PROXY TCP4 127.0.0.9 "), ("PROXYV2", "\r\n\r\n\0\r\nQUIT\n")]
)
def test_members_see_the_client_before_all_else(
    lab: TrafficLab, heads: HeadServer, protocol: str, start: str
) -> None:
    site = lab.serve(target(heads.port), pool={"protocol": protocol})
    assert see(site, source="127.0.0.9").body.startswith(start)


def test_members_are_spoken_to_over_tls(
    lab: TrafficLab, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> None:
    context = serving(authority.issue("member"))
    context.load_verify_locations(authority.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    with HeadServer(tls=context) as secret:
        site = lab.serve(target(secret.port), pool={"tls_enabled": True})
        pool = f"pools/{site.pools['p']['id']}"
        assert see(site).status != 200  # it has nothing to show
        ours = certificate(lab, authority.issue("ours"))
        ca = certificate(lab, authority.ca.read_text(), "ca")
        site.put(pool, pool={"tls_container_ref": ours, "ca_tls_container_ref": ca})
        assert see(site).status == 200
        lab.delete(f"/v1/certificates/{ours}", 409)
        strangers = Authority(tmp_path_factory.mktemp("strangers"))
        site.put(
            pool, pool={"ca_tls_container_ref": certificate(lab, strangers.ca.read_text(), "ca")}
        )
        assert see(site).status == 503
        site.put(
            pool,
            pool={
                "ca_tls_container_ref": None,
                "tls_versions": ["TLSv1.2"],
                "alpn_protocols": ["http/1.1"],
            },
        )
        assert see(site).status == 200
        answer = lab.client.put(f"{LBAAS}/{pool}", json={"pool": {"tls_container_ref": ca}})
        assert answer.status_code == 400


# Members


def test_members_that_take_less(lab: TrafficLab, one: WebServer, two: WebServer) -> None:
    """Weight 0 and switched off: what is there goes on, nothing new comes. A backup waits for all others to fail."""
    with EchoServer("echo") as echo, EchoServer("else") as other:
        site = lab.serve(target(echo.port), protocol="TCP", pool={"protocol": "TCP"})
        with connect(site) as kept:
            assert line_of(kept) == "echo"
            site.post(site.members, member=target(other.port))
            for change in ({"weight": 0}, {"weight": 1, "admin_state_up": False}):
                site.put(site.member(), member=change)
                for _ in range(3):
                    with connect(site) as fresh:
                        assert line_of(fresh) == "else"
                kept.sendall(b"still there\n")
                assert line_of(kept) == "still there"
    site = lab.serve(
        target(one.port), target(two.port, backup=True), pool={"healthmonitor": MONITOR}
    )
    site.wait_statuses("ONLINE", "ONLINE")
    assert {body(site) for _ in range(4)} == {"one"}
    site.put(site.member(), member={"admin_state_up": False})
    assert {body(site) for _ in range(4)} == {"two"}
    site.wait_statuses("OFFLINE", "ONLINE")


# Health monitors


def test_checks_ask_as_they_are_told(lab: TrafficLab, one: WebServer) -> None:
    """Where, what and how; and which answers are good."""
    with WebServer("checked") as checked:
        site = lab.serve(
            target(one.port, monitor_address="127.0.0.1", monitor_port=checked.port),
            pool={"healthmonitor": {**MONITOR, "url_path": "/up?x=1", "expected_codes": "201-204"}},
        )
        site.wait_statuses("ERROR")
        assert get(site.port, host=site.address)[0] == 503
        checked.answer_with(202)
        site.wait_statuses("ONLINE")
        assert body(site) == "one"
        monitor = lab.get(f"{LBAAS}/healthmonitors", pool_id=site.pools["p"]["id"])[
            "healthmonitors"
        ][0]
        path = f"healthmonitors/{monitor['id']}"
        site.put(path, healthmonitor={"admin_state_up": False})
        checked.answer_with(500)
        site.wait_statuses("NO_MONITOR")
        site.delete(path)
        assert body(site) == "one"


@pytest.mark.parametrize("fields", [
    {"http_method": "HEAD", "url_path": "/a", "http_version": 1.1, "domain_name": "shop.example"},
    {"http_method": "OPTIONS", "url_path": "/b", "http_version": "1.0"},
])  # fmt: skip
def test_a_checks_request(lab: TrafficLab, fields: Json) -> None:
    """As a member hears it."""
    with socket.create_server(("127.0.0.1", 0)) as member:
        member.settimeout(10)
        lab.serve(target(member.getsockname()[1]), pool={"healthmonitor": {**MONITOR, **fields}})
        with member.accept()[0] as connection:
            connection.settimeout(10)
            heard = connection.recv(65536).decode()
    line = f"{fields['http_method']} {fields['url_path']} HTTP/{fields['http_version']}"
    assert heard.startswith(line)
    assert ("host: shop.example" in heard.lower()) is ("domain_name" in fields)


@pytest.mark.parametrize("kind", ["TCP", "TLS-HELLO", "HTTPS"])
def test_other_checks(lab: TrafficLab, authority: Authority, one: WebServer, kind: str) -> None:
    with HeadServer(tls=serving(authority.issue(f"c-{kind}"))) as secret:
        members = target(secret.port), target(one.port if kind != "TCP" else free_port())
        site = lab.serve(*members, pool={"healthmonitor": {**MONITOR, "type": kind}})
        site.wait_statuses("ONLINE", "ERROR")


@pytest.mark.parametrize(
    ("path", "name", "fields", "words"),
    [
        (
            "healthmonitors",
            "healthmonitor",
            {**MONITOR, "type": "PING"},
            "start a program for each check",
        ),
        (
            "healthmonitors",
            "healthmonitor",
            {**MONITOR, "type": "UDP-CONNECT"},
            "neither UDP nor SCTP",
        ),
        ("listeners", "listener", {"protocol": "UDP", "protocol_port": 1}, "neither UDP nor SCTP"),
        ("listeners", "listener", {"protocol": "SCTP", "protocol_port": 1}, "neither UDP nor SCTP"),
        ("pools", "pool", {**POOL, "protocol": "UDP"}, "neither UDP nor SCTP"),
    ],
)
def test_what_haproxy_cannot_do_is_said(
    lab: TrafficLab, path: str, name: str, fields: Json, words: str
) -> None:
    owner = {"healthmonitors": "pool_id"}.get(path, "loadbalancer_id")
    assert words in lab.post(f"{LBAAS}/{path}", {name: {owner: "x", **fields}}, 501)["faultstring"]


# Policies


def test_policies_act_on_requests(lab: TrafficLab, one: WebServer, two: WebServer) -> None:
    api = {**POOL, "name": "api", "members": [target(two.port)]}
    rule = {"type": "PATH", "compare_type": "STARTS_WITH", "value": "/api"}
    policies = [{"action": "REDIRECT_TO_POOL", "redirect_pool": {"name": "api"}, "rules": [rule]}]
    site = lab.serve(target(one.port), pools=(api,), l7policies=policies)
    assert (body(site), body(site, "/api/x")) == ("one", "two")
    made = site.post("l7policies", l7policy={
        "listener_id": site.listener, "action": "REDIRECT_TO_URL", "redirect_url": "http://a.example/",
        "redirect_http_code": 308, "rules": [{**rule, "value": "/api/old"}],
    })["l7policy"]  # fmt: skip
    assert get(site.port, "/api/old", host=site.address)[0] == 308
    site.put(f"l7policies/{made['id']}", l7policy={"action": "REJECT"})
    assert get(site.port, "/api/old", host=site.address)[0] == 403
    site.put(f"l7policies/{made['id']}", l7policy={"admin_state_up": False})
    assert body(site, "/api/old") == "two"
    site.delete(f"l7policies/{made['id']}")
    assert body(site, "/api/old") == "two"
