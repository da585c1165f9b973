"""Whatever the message floor takes, HAProxy's own check takes too."""

import subprocess
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from libra.drivers.haproxy.binary import Binary
from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.options import build_options, clients_file
from libra.drivers.haproxy.render import render
from libra.model.loadbalancer import Desired
from tests.support.haproxy import DrivenHAProxy, haproxy_binary
from tests.support.messages import http, parse_update, update
from tests.support.updates import updates

__all__ = ["haproxy_binary"]


def refusal(binary: Path, message: dict[str, Any]) -> str:
    """HAProxy's words against what becomes of the message, and that; empty where its check passes it."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        settings = DrivenHAProxy(binary, directory, directory).settings.haproxy
        options = build_options(settings, Binary(binary, timedelta(seconds=30)).version())
        text = render(build(Desired(loadbalancers=parse_update(message)), options))
        directory.joinpath("cfg").write_text(text)
        clients_file(settings.config_file).touch()  # as the driver does
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
