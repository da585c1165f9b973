"""Pools, members and checks of Octavia's API, and what clients and members see of each field, through HAProxy."""

import re
import socket
import ssl
from typing import Any

import pytest

from tests.support.certificates import Authority
from tests.support.control import LBAAS
from tests.support.headers import HeadServer
from tests.support.ports import free_port
from tests.support.seconddevice import authority, serving
from tests.support.trafficlab import (
    POOL,
    Site,
    TrafficLab,
    body,
    certificate,
    connect,
    heads,
    lab,
    line_of,
    one,
    see,
    target,
    two,
)
from tests.support.web import EchoServer, WebServer, get

__all__ = ["authority", "heads", "lab", "one", "two"]
Json = dict[str, Any]
MONITOR = {"type": "HTTP", "delay": 1, "timeout": 1, "max_retries": 1, "max_retries_down": 1}


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


def test_a_pool_is_made_with_its_members(lab: TrafficLab, one: WebServer) -> None:
    site = lab.serve()
    given = {**POOL, "listener_id": site.listener, "members": [target(one.port)]}
    site.post("pools", pool=given)
    assert body(site) == "one"


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


def test_a_member_of_tls_comes_at_runtime(
    lab: TrafficLab, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It is spoken to and checked as the others are; whose certificate is another's serves nobody."""
    strangers = Authority(tmp_path_factory.mktemp("others"))

    def of(issuer: Authority) -> ssl.SSLContext:
        context = serving(issuer.issue("member2"))
        context.load_verify_locations(authority.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    pool = {
        "tls_enabled": True,
        "tls_container_ref": certificate(lab, authority.issue("ours2")),
        "ca_tls_container_ref": certificate(lab, authority.ca.read_text(), "ca"),
        "tls_ciphers": "ECDHE-ECDSA-AES256-GCM-SHA384:!aNULL:TLS_AES_128_GCM_SHA256",
        "tls_versions": ["TLSv1.2", "TLSv1.3"],
        "alpn_protocols": ["http/1.1"],
        "healthmonitor": {"type": "HTTP", "delay": 1, "timeout": 1, "max_retries": 1},
    }
    with (
        HeadServer(tls=of(authority)) as first,
        HeadServer(tls=of(authority)) as second,
        HeadServer(tls=of(strangers)) as odd,
    ):
        site = lab.serve(target(first.port), pool=pool)
        site.wait_statuses("ONLINE")
        reloads = lab.haproxy.master.show_processes().master.reloads
        site.post(site.members, member=target(odd.port))
        site.post(site.members, member=target(second.port, weight=2))
        site.wait_statuses("ONLINE", "ERROR", "ONLINE")
        site.delete(site.member())
        assert [see(site).status for _ in range(4)] == [200] * 4
        assert lab.haproxy.master.show_processes().master.reloads == reloads


def test_the_first_member_of_tls_that_is_shown_a_certificate(
    lab: TrafficLab, authority: Authority
) -> None:
    """HAProxy has not loaded it before."""
    context = serving(authority.issue("member3"))
    context.load_verify_locations(authority.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    with HeadServer(tls=context) as secret:
        shown = {"tls_container_ref": certificate(lab, authority.issue("ours3"))}
        site = lab.serve(pool={"tls_enabled": True, **shown})
        site.post(site.members, member=target(secret.port))
        assert see(site).status == 200


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


def test_a_ping(lab: TrafficLab, one: WebServer) -> None:
    """Where nothing listens, too: the host answers."""
    members = target(one.port), target(free_port())
    site = lab.serve(*members, pool={"healthmonitor": {**MONITOR, "type": "PING"}})
    site.wait_statuses("ONLINE", "ONLINE")


@pytest.mark.parametrize(
    ("path", "name", "fields", "words"),
    [
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
