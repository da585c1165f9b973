"""TLS of 2.0 messages: certificates, clients, and keys that are nobody else's."""

import json
import re
import socket
import ssl
from pathlib import Path

import pytest

from tests.support.certificates import Authority, Certificate
from tests.support.haproxy import haproxy, haproxy_binary, socket_directory
from tests.support.headers import ask
from tests.support.ports import free_port
from tests.support.second import listener, loadbalancer, node, pool, update
from tests.support.seconddevice import (
    Device,
    authority,
    certificate,
    der,
    device,
    one,
    secure,
    shown,
    trusting,
)
from tests.support.web import WebServer

__all__ = ["authority", "device", "haproxy", "haproxy_binary", "one", "socket_directory"]


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


def pem_files(device: Device) -> set[str]:
    return {path.name.split(".")[0] for path in device.haproxy.directory.rglob("*.pem")}


def test_of_a_change_that_failed_no_key_stays_behind(
    device: Device, one: WebServer, authority: Authority
) -> None:
    port = free_port()
    good, other = authority.issue("good"), authority.issue("bad")
    wrong = {**certificate("wrong", good), "key": other.key.read_text()}
    device.pass_(secure(port, one, {"certificates": [certificate("1", good)]}))
    device.fail(secure(port, one, {"certificates": [certificate("1", good), wrong]}))
    assert pem_files(device) == {"crt-li+1"}
    device.haproxy.driver.stop()
    device.restart()
    assert shown(port, trusting(authority)) == der(good)


def test_what_a_killed_worker_left_is_swept(
    device: Device, one: WebServer, authority: Authority
) -> None:
    port = free_port()
    device.pass_(secure(port, one, {"certificates": [certificate("1", authority.issue("left"))]}))
    (file,) = device.haproxy.directory.rglob("*.pem")
    file.with_name("crt-li+2.0123456789abcdef.pem").write_text("a key")
    device.restart()
    assert list(device.haproxy.directory.rglob("*.pem")) == [file]
    assert device.reloads() == 0


def test_a_chain_too_long_for_the_socket_goes_by_a_reload(
    device: Device, one: WebServer, authority: Authority
) -> None:
    """HAProxy takes at most a buffer of 16 kB there."""
    port = free_port()
    old, new = authority.issue("short"), authority.issue("long")
    device.pass_(secure(port, one, {"certificates": [certificate("1", old)]}))
    renewed = certificate("1", new)
    renewed["certificate"] += authority.ca.read_text() * 40
    device.pass_(secure(port, one, {"certificates": [renewed]}))
    assert shown(port, trusting(authority)) == der(new)
    assert device.reloads() == 1


def test_what_another_worker_left_open_at_haproxy_is_in_nobodys_way(
    device: Device, one: WebServer, authority: Authority
) -> None:
    port = free_port()
    old, new = authority.issue("open-old"), authority.issue("open-new")
    other = authority.issue("open-other", names="DNS:other.example.com")
    tls = [certificate("1", old), certificate("2", other)]
    device.pass_(secure(port, one, {"certificates": tls}))
    (name,) = re.findall(r"\S+/crt-li\+2\.\S+", device.haproxy.admin.ask("show ssl cert"))
    assert "ransaction" in device.haproxy.admin.give(
        f"set ssl cert {name}", new.cert.read_text() + new.key.read_text()
    )
    device.pass_(secure(port, one, {"certificates": [certificate("1", new), tls[1]]}))
    assert shown(port, trusting(authority)) == der(new)
    assert device.reloads() == 0


def test_two_certificates_whose_ids_look_alike_when_joined(
    device: Device, one: WebServer, authority: Authority
) -> None:
    ports = free_port(), free_port()
    old = [authority.issue(f"alike-{n}") for n in range(2)]
    new = authority.issue("alike-new")

    def desire(first: Certificate) -> None:
        listeners = [
            {
                **listener(name, port, protocol="TERMINATED_HTTPS", pool="p"),
                "tls": {"certificates": [certificate(ref, issued)]},
            }
            for name, ref, port, issued in (
                ("a-b", "c", ports[0], first),
                ("a", "b-c", ports[1], old[1]),
            )
        ]
        device.pass_(update(loadbalancer("lb", listeners, [pool("p", node("n", one.port))])))

    desire(old[0])
    desire(new)
    context = trusting(authority)
    assert [shown(port, context) for port in ports] == [der(new), der(old[1])]
    assert device.reloads() == 0


def test_clients_may_show_a_certificate_that_is_not_revoked(
    device: Device, one: WebServer, authority: Authority, tmp_path: Path
) -> None:
    port = free_port()
    good, revoked = authority.issue("welcome"), authority.issue("revoked")
    stranger = Authority(tmp_path, "stranger-ca").issue("stranger")
    tls = {
        "certificates": [certificate("1", authority.issue("asking"))],
        "client_authentication": "OPTIONAL",
        "client_ca": authority.ca.read_text(),
        "client_crl": authority.revoke(revoked),
    }
    device.pass_(secure(port, one, tls))
    assert ask(port, context=trusting(authority)).status == 200
    assert ask(port, context=trusting(authority, good)).status == 200
    for refused in (revoked, stranger):
        with pytest.raises(OSError):  # noqa: PT011 - TLS 1.3 tells of it late, in one way or another
            ask(port, context=trusting(authority, refused))


def negotiate(port: int, context: ssl.SSLContext) -> tuple[str | None, str, str | None]:
    """Version, cipher and protocol."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=30)
    with context.wrap_socket(plain, server_hostname="localhost") as connection:
        cipher = connection.cipher()
        assert cipher is not None
        return connection.version(), cipher[0], connection.selected_alpn_protocol()


def test_what_is_negotiated(device: Device, one: WebServer, authority: Authority) -> None:
    """Ciphers of both kinds in one list, as the field's clients send it."""
    port = free_port()
    tls = {"certificates": [certificate("1", authority.issue("negotiated"))]}
    tls |= {"ciphers": "TLS_CHACHA20_POLY1305_SHA256:ECDHE-ECDSA-CHACHA20-POLY1305"}
    tls |= {"versions": ["tlsv1.3", "TLSv1.2"], "alpn": ["http/1.1", "h2"]}
    device.pass_(secure(port, one, tls))
    newest, older = trusting(authority), trusting(authority)
    newest.set_alpn_protocols(["h2"])
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    assert negotiate(port, newest) == ("TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256", "h2")
    assert negotiate(port, older) == ("TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305", None)
    tls["versions"] = ["TLSv1.3"]
    device.pass_(secure(port, one, tls))
    with pytest.raises(ssl.SSLError):
        negotiate(port, older)


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
        socket.create_connection(("127.0.0.1", port), timeout=30), server_hostname="localhost"
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
