"""Addresses of load balancers between real hosts: put on, found by a neighbour, moved, and taken off."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from libra.worker.contest import SILENT_SECONDS
from tests.support.haproxy import socket_directory
from tests.support.labhost import MEMBER, WAIT, LabHost
from tests.support.netlab import NetLab, require_namespaces
from tests.support.ports import wait_until
from tests.support.web import get

__all__ = ["socket_directory"]

VIP, VIP6 = "10.77.0.100", "fd77::100"


class Worker(LabHost):
    """Puts addresses of two networks on its interface."""

    def __init__(self, lab: NetLab, name: str, directory: Path) -> None:
        networks = ["10.77.0.96/27", "fd77::100/120"]
        super().__init__(lab, name, directory, vip={"adapter": "interface", "networks": networks})

    def update(self, address: str) -> dict[str, Any]:
        node = {"address": "127.0.0.1", "port": str(MEMBER)}
        balancer = {"protocol": "HTTP", "bind_address": address, "nodes": [node]}
        return self.send("UPDATE", loadbalancers=[balancer])


class Hosts:
    def __init__(self, directory: Path) -> None:
        self.lab = NetLab()
        self.workers: list[Worker] = []
        try:
            self.lab.add("client")
            for version in (
                "ipv4",
                "ipv6",
            ):  # it must be told: by itself it would not ask again for an hour
                key = f"net.{version}.neigh.eth0.base_reachable_time_ms=3600000"
                self.lab.run("client", "sysctl", "-w", key)
            self.workers = [Worker(self.lab, name, directory) for name in ("web1", "web2")]
        except BaseException:
            self.close()
            raise

    def ask(self, address: str) -> str:
        """What a client gets there; empty where nothing answers."""
        try:
            return self.lab.inside("client", lambda: get(80, host=address, timeout=1))[1]
        except OSError:
            return ""

    def close(self) -> None:
        for worker in self.workers:
            worker.close()
        self.lab.close()


@pytest.fixture
def hosts(socket_directory: Path) -> Iterator[Hosts]:
    require_namespaces()
    hosts = Hosts(socket_directory)
    try:
        yield hosts
    finally:
        hosts.close()


def passed(reply: dict[str, Any]) -> bool:
    return bool(reply.get("hpcs_response") == "PASS")


@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_an_address_goes_where_its_load_balancer_goes(hosts: Hosts, vip: str) -> None:
    """The client knows the old host's hardware address, and nobody but the new host tells it otherwise."""
    one, two = hosts.workers
    assert passed(one.update(vip))
    assert one.has(vip)
    wait_until(lambda: hosts.ask(vip) == "web1", timeout=WAIT, what="an answer of the first host")
    hosts.lab.cut("web1")  # it still has the address, and would answer
    assert passed(two.update(vip))
    wait_until(lambda: hosts.ask(vip) == "web2", timeout=WAIT, what="an answer of the second host")
    assert passed(one.send("DELETE"))
    assert not one.has(vip)
    assert two.has(vip)


def test_an_address_is_looked_after(hosts: Hosts) -> None:
    one, _ = hosts.workers
    assert passed(one.update(VIP))
    hosts.lab.run("web1", "ip", "addr", "del", f"{VIP}/32", "dev", "eth0")
    wait_until(lambda: one.has(VIP), timeout=WAIT, what="the address again")
    os.kill(one.process.pid, signal.SIGKILL)
    one.process.wait(WAIT)
    assert hosts.ask(VIP) == "web1"
    one.start()
    assert one.has(VIP)
    assert passed(one.update("10.77.0.101"))
    assert (one.has("10.77.0.101"), one.has(VIP)) == (True, False)
    assert hosts.ask("10.77.0.101") == "web1"


def test_a_host_takes_no_address_that_its_settings_do_not_allow(hosts: Hosts) -> None:
    one, _ = hosts.workers
    assert passed(one.update(VIP))
    reply = one.update("10.77.0.1")
    assert "vip.networks does not allow it" in reply["hpcs_error"]
    assert not one.has("10.77.0.1")
    assert hosts.ask(VIP) == "web1"
    assert passed(one.send("SUSPEND"))
    assert one.has(VIP)


@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_a_host_that_was_replaced_while_it_was_away_gives_way(hosts: Hosts, vip: str) -> None:
    """Nobody tells it: it asks its neighbours, and does not come back to it by a restart either."""
    one, two = hosts.workers
    assert passed(one.update(vip))
    os.kill(one.process.pid, signal.SIGSTOP)
    hosts.lab.cut("web1")
    assert passed(two.update(vip))
    time.sleep(SILENT_SECONDS + 0.5)  # frozen for so long that it may have missed something
    hosts.lab.heal("web1")
    os.kill(one.process.pid, signal.SIGCONT)
    wait_until(lambda: not one.has(vip), timeout=WAIT, what="the first host to give way")
    assert two.has(vip)
    os.kill(one.process.pid, signal.SIGKILL)
    one.process.wait(WAIT)
    one.start()
    assert not one.has(vip)
    wait_until(lambda: hosts.ask(vip) == "web2", timeout=WAIT, what="an answer of the second host")
    assert passed(two.send("DELETE"))
    assert passed(one.update(vip))
    wait_until(lambda: one.has(vip), timeout=WAIT, what="the first host to see that it is free")
    wait_until(lambda: hosts.ask(vip) == "web1", timeout=WAIT, what="an answer of the first host")
