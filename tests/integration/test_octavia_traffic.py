"""Listeners and policies of Octavia's API, and what clients and members see of each field, through HAProxy."""

import re
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.certificates import Authority
from tests.support.control import LBAAS
from tests.support.headers import HeadServer
from tests.support.ports import free_port
from tests.support.seconddevice import authority, serving, trusting
from tests.support.trafficlab import (
    POOL,
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


def test_a_members_connection_waits_for_the_clients_first_bytes(lab: TrafficLab) -> None:
    """It is made when they are there, or when their time is over."""
    with EchoServer("echo") as echo:
        waits = {"protocol": "TCP", "timeout_tcp_inspect": 1500}
        site = lab.serve(target(echo.port), pool={"protocol": "TCP"}, **waits)
        with connect(site) as quiet:
            assert 1.2 < seconds(lambda: line_of(quiet)) < 4.5
        with connect(site) as connection:
            connection.settimeout(0.4)
            with pytest.raises(TimeoutError):
                connection.recv(1)  # this member speaks first where it can
            connection.settimeout(5)
            connection.sendall(b"x")
            assert seconds(lambda: line_of(connection)) < 0.9
        site.put(f"listeners/{site.listener}", listener={"timeout_tcp_inspect": None})
        with connect(site) as connection:
            assert seconds(lambda: line_of(connection)) < 0.9


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
