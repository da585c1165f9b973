"""Members that can be made to answer no ping: a host each, and a HAProxy that is not among them.

HAProxy and the members' servers are on the loopback address of this machine; `monitor_address` is where they are
pinged, from a host of the lab.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from libra.drivers.haproxy.driver import HAProxyDriver
from libra.drivers.haproxy.pinging.sockets import Link, open_link
from tests.support.haproxy import DrivenHAProxy
from tests.support.netlab import NetLab, require_namespaces
from tests.support.seconddevice import Device

IGNORE = "net.ipv4.icmp_echo_ignore_all"


class PingLab(NetLab):
    """Pings start on `home`; `first` and `second` are members."""

    def __init__(self) -> None:
        super().__init__()
        for host in ("home", "first", "second"):
            self.add(host)

    def open_link(self, version: int) -> Link:
        """As on that host."""
        return self.inside("home", lambda: open_link(version))

    def silence(self, host: str, *, ends: bool = False) -> None:
        """From now on it answers no ping of IPv4, or does again."""
        self.run(host, "sysctl", "-q", "-w", f"{IGNORE}={int(not ends)}")


class PingedHAProxy(DrivenHAProxy):
    """With a driver that pings in the lab."""

    lab: PingLab

    def new_driver(self) -> HAProxyDriver:
        counters = self.directory / "haproxy-counters.json"
        return HAProxyDriver(self.settings.haproxy, counters, open_link=self.lab.open_link)


@pytest.fixture(scope="module")
def hosts() -> Iterator[PingLab]:
    """Shared by a module."""
    require_namespaces()
    lab = PingLab()
    yield lab
    lab.close()


@pytest.fixture
def lab(hosts: PingLab) -> PingLab:
    """All of them answer."""
    for host in ("first", "second"):
        hosts.silence(host, ends=True)
    return hosts


@pytest.fixture
def device(
    lab: PingLab, haproxy_binary: Path, tmp_path: Path, socket_directory: Path
) -> Iterator[Device]:
    """One on which nothing runs yet."""
    PingedHAProxy.lab = lab
    driven = PingedHAProxy(haproxy_binary, tmp_path, socket_directory)
    yield Device(driven)
    driven.driver.close()
