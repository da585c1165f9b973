"""The driver and a real HAProxy that it starts itself."""

from dataclasses import replace
from pathlib import Path

import pytest

from libra.errors import ConfigurationRejected, DriverError
from libra.model.loadbalancer import Desired
from tests.support.desired import build_desired
from tests.support.haproxy import (
    DrivenHAProxy,
    haproxy,
    haproxy_binary,
    is_running,
    kill,
    socket_directory,
)
from tests.support.ports import accepts, free_port, wait_until
from tests.support.web import WebServer, get

__all__ = ["haproxy", "haproxy_binary", "socket_directory"]


def test_it_serves_what_is_desired(haproxy: DrivenHAProxy) -> None:
    port = free_port()
    with WebServer("one") as one, WebServer("two") as two:
        haproxy.driver.apply(build_desired(one.port, two.port, listen=port))
        assert {get(port) for _ in range(4)} == {(200, "one"), (200, "two")}
        haproxy.driver.apply(build_desired(two.port, listen=port))
        assert {get(port) for _ in range(4)} == {(200, "two")}
    wait_until(lambda: 'GET / HTTP/1.1"' in (haproxy.directory / "access.log").read_text())
    version = haproxy.driver.version()
    assert version.name == "HAProxy"
    assert haproxy.master.show_processes().master.version.startswith(f"{version.version}")
