"""Whatever the message floor takes, HAProxy's own check takes too."""

import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from libra.drivers.haproxy.binary import Binary
from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.options import build_options, clients_file, material_directory
from libra.drivers.haproxy.render import render
from libra.messages.requests import Update, parse_request
from libra.model.listener import Listener
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.tls import Certificate
from libra.model.webservice import ReverseProxy, WebService
from tests.support.certificates import Authority
from tests.support.haproxy import DrivenHAProxy, haproxy_binary
from tests.support.messages import http, parse_update, update
from tests.support.second import listener, listeners, loadbalancer, node, pool
from tests.support.second import update as second_update
from tests.support.seconddevice import authority
from tests.support.updates import updates

__all__ = ["authority", "haproxy_binary"]


def refusal(binary: Path, message: dict[str, Any]) -> str:
    """HAProxy's words against what becomes of the message, and that; empty where its check passes it."""
    return refusal_of(binary, Desired(loadbalancers=parse_update(message)))


def refusal_of(binary: Path, desired: Desired) -> str:
    """The same for a state."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        settings = DrivenHAProxy(binary, directory, directory).settings.haproxy
        version = Binary(binary, timedelta(seconds=30)).version()
        configuration = build(desired, build_options(settings, version, directory / "s"))
        text = render(configuration)
        directory.joinpath("cfg").write_text(text)
        clients_file(settings.config_file).touch()  # as the driver does
        materials = material_directory(settings.config_file)
        materials.mkdir()
        for item in configuration.materials:
            materials.joinpath(item.name).write_text(item.content)
        argv = [binary, "-c", "-f", directory / "cfg"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return f"{done.stderr}\n{text}" if done.returncode else ""


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(message=updates())
def test_any_good_update(haproxy_binary: Path, message: dict[str, Any]) -> None:
    assert refusal(haproxy_binary, message) == ""


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "../'x' \"y\" %[src] $HOME #1 \\ ü ☃", "name": "; rm -rf / `id` $(id)"},
        {"nodes": [{"id": "a b'c\"#$%{}\\", "address": "10.0.0.1", "port": 80}]},
        {"nodes": [{"address": "_srv.x-y.invalid", "port": 1, "weight": 0}]},
        {"monitor": {"type": "HTTP", "path": "/~!$&()*+,;=:@%20?a=$HOME&b=%s%%-."}},
        {"monitor": {"type": "HTTP", "expected_codes": "100-599"}},
        {"session_persistence": {"type": "HTTP_COOKIE", "cookie_name": "-._A0"}},
        {"options": {"client_timeout": 1, "server_timeout": 86_400_000, "connect_retries": 0}},
        {"connection_limit": 10_000_000},
    ],
    ids=range(8),
)  # fmt: skip
def test_the_odd_ones(haproxy_binary: Path, fields: dict[str, Any]) -> None:
    assert refusal(haproxy_binary, update(http(**fields))) == ""


@pytest.fixture(scope="module")
def issued(authority: Authority) -> tuple[str, str, str]:
    """A certificate, its key, and who signed it."""
    one = authority.issue("shop.example")
    return one.cert.read_text(), one.key.read_text(), authority.ca.read_text()


def with_real_tls(one: Listener, issued: tuple[str, str, str]) -> Listener:
    """What is generated only stands for certificates."""
    chain, key, ca = issued
    shown = Certificate(id="c", chain=chain, key=key)
    services = tuple(_with_real_members(item, shown, ca) for item in one.services)
    one = replace(one, services=services)
    if one.tls is None:
        return one
    shown = tuple(replace(item, chain=chain, key=key) for item in one.tls.certificates)
    tls = replace(one.tls, certificates=shown, client_ca=ca if one.tls.client_ca else None)
    return replace(one, tls=tls)


def _with_real_members(one: WebService, shown: Certificate, ca: str) -> WebService:
    """Of the members of a proxy; lists of revocations are tried elsewhere."""
    if not isinstance(one, ReverseProxy) or one.pool.tls is None:
        return one
    given = one.pool.tls
    tls = replace(
        given,
        certificate=shown if given.certificate else None,
        authorities=ca if given.authorities else None,
        revocations=None,
    )
    return replace(one, pool=replace(one.pool, tls=tls))


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(one=listeners("li", 80, []).filter(lambda one: one.services))
def test_any_good_web_service(
    haproxy_binary: Path, issued: tuple[str, str, str], one: Listener
) -> None:
    owner = LoadBalancer(id="lb", listeners=(with_real_tls(one, issued),))
    desired = Desired(loadbalancers=(owner,), version="2.0")
    assert refusal_of(haproxy_binary, desired) == ""


PLAIN = "/" + "".join(map(chr, range(0x21, 0x7F))).replace("#", "")


@pytest.mark.parametrize(
    "service",
    [
        {"path": "/._~%+@:,=-/-i/-f/--/%", "type": "nodeinfo"},
        {"path": "/" + "a" * 1023, "type": "nodeinfo"},
        {"path": "/a/" + "/".join("b" * 500), "type": "redirect", "url": "/" + "%" * 2047},
        {"path": "/", "type": "redirect", "url": PLAIN},
        {"path": "/", "type": "redirect", "url": "http://a" + PLAIN},
        {"path": "/x.y+z~-@:,=%2f", "type": "reverseproxy", "pool": "p", "base_path": "/%s%%/.~+1"},
        {"path": "/", "type": "reverseproxy", "pool": "p", "base_path": "/" + "a" * 1023},
        {"path": "/" + "a.b" * 300, "type": "reverseproxy", "pool": "p", "tunnel_timeout": 2073600000},
        {"path": "/", "type": "static", "directory": "/srv/ \"'$HOME%[src]#é"},
        {"path": "/", "type": "json", "value": {"a": "'\"\n\r\u2028%[src]$HOME#"}},
    ],
    ids=range(10),
)  # fmt: skip
def test_the_odd_web_services(haproxy_binary: Path, service: dict[str, Any]) -> None:
    odd = "../'x' \"y\" %[src] $HOME #1 \\ ü ☃"
    one = listener(odd, 80, services=[service], hsts={"max_age": 0}, threads=64, backlog=65535)
    message = second_update(loadbalancer("lb", [one], [pool("p", node("n", 8080))]))
    request = parse_request(message)
    assert isinstance(request, Update)
    assert refusal_of(haproxy_binary, Desired(loadbalancers=request.loadbalancers)) == ""
