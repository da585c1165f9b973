"""Hosts that share addresses by VRRP: keepalived hands them over, whatever becomes of workers and controllers."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.haproxy import socket_directory
from tests.support.netlab import require_namespaces
from tests.support.ports import wait_until
from tests.support.programs import find_program
from tests.support.vrrplab import WAIT, VrrpLab, monitor

__all__ = ["socket_directory"]

VIP, VIP6, OTHER = "10.77.0.100", "fd77::100", "10.77.0.101"
TAKEOVER = 10.0  # it takes one to two where the machine has time
SETTLED = 2.0  # several times what VRRP needs to find another master


@pytest.fixture
def kind() -> str:
    return "multicast"


@pytest.fixture
def vrrp(socket_directory: Path, kind: str) -> Iterator[VrrpLab]:
    """The same list of peers on both hosts."""
    require_namespaces()
    find_program("keepalived", package="keepalived")
    peers = ["10.77.0.2", "10.77.0.3", "fd77::2", "fd77::3"] if kind == "unicast" else []
    lab = VrrpLab(socket_directory, peers=peers)
    try:
        yield lab
    finally:
        lab.close()


@pytest.mark.parametrize(("kind", "vip"), [("multicast", VIP), ("unicast", VIP6)])
def test_the_address_is_answered_again_when_all_of_its_host_is_killed(
    vrrp: VrrpLab, vip: str
) -> None:
    """And it stays there when the host comes back."""
    one, two = vrrp.hosts
    one.serve(vip)
    watch = vrrp.watch(vip)
    watch.wait("web1")
    two.serve(vip)
    time.sleep(SETTLED)
    assert (one.addresses(), two.addresses()) == ({vip}, set())
    killed = time.monotonic()
    one.kill_everything()
    took = watch.wait("web2", TAKEOVER)
    print(f"takeover: {took:.2f} s")  # noqa: T201 - a figure
    one.start()
    wait_until(lambda: not one.has(vip), timeout=WAIT, what="the first host to clear it away")
    time.sleep(SETTLED)
    assert watch.since(killed) == ["web2"]
    assert (one.addresses(), two.addresses()) == (set(), {vip})
    watch.stop()


def test_a_host_whose_haproxy_died_hands_over(vrrp: VrrpLab) -> None:
    """Whether or not a worker is there to see it; HAProxy's own return takes nothing back."""
    one, two = vrrp.hosts
    one.serve(VIP)
    watch = vrrp.watch(VIP)
    watch.wait("web1")
    two.serve(VIP)
    killed = time.monotonic()
    one.kill_haproxy()
    wait_until(lambda: watch.since(killed), timeout=TAKEOVER, what="an answer")
    time.sleep(2 * SETTLED)
    (name,) = watch.since(killed)  # the worker may be quicker than keepalived's next look
    here, there = (one, two) if name == "web1" else (two, one)

    killed = time.monotonic()
    with here.frozen_worker():
        here.kill_haproxy()
        print(f"with a worker: {watch.wait(there.name, TAKEOVER):.2f} s")  # noqa: T201
    wait_until(here.haproxy, timeout=WAIT, what="the worker to bring HAProxy back")
    time.sleep(SETTLED)
    assert watch.since(killed) == [there.name]

    there.kill_worker()
    there.kill_haproxy()
    print(f"without: {watch.wait(here.name, TAKEOVER):.2f} s")  # noqa: T201
    wait_until(lambda: not there.has(VIP), timeout=WAIT, what="that host to give it up")
    watch.stop()


def test_a_haproxy_that_hangs_is_one_that_does_not_serve(vrrp: VrrpLab) -> None:
    one, two = vrrp.hosts
    one.serve(VIP)
    watch = vrrp.watch(VIP)
    watch.wait("web1")
    two.serve(VIP)
    one.kill_worker()
    for pid in one.haproxy():
        os.kill(pid, signal.SIGSTOP)
    watch.wait("web2", 2 * TAKEOVER)
    for pid in one.haproxy():
        os.kill(pid, signal.SIGCONT)
    watch.stop()


@pytest.mark.parametrize(("kind", "other"), [("multicast", OTHER), ("unicast", VIP6)])
def test_a_change_of_other_addresses_moves_none_that_stays(
    vrrp: VrrpLab, other: str, tmp_path: Path
) -> None:
    """One host after the other learns of a second address, and then of its end."""
    one, two = vrrp.hosts
    one.serve(VIP)
    watch = vrrp.watch(VIP)
    watch.wait("web1")
    two.serve(VIP)
    wait_until(lambda: one.addresses() == {VIP}, timeout=WAIT, what="the address")
    seen = tmp_path / "monitor"
    monitor(vrrp.lab, "web1", seen)
    begun = time.monotonic()
    one.serve(VIP, other)
    wait_until(lambda: one.addresses() == {VIP, other}, timeout=WAIT, what="the second")
    two.serve(VIP, other)
    time.sleep(SETTLED)
    assert (one.addresses(), two.addresses()) == ({VIP, other}, set())
    one.serve(VIP)
    wait_until(lambda: two.addresses() == {other}, timeout=WAIT, what="the other host")
    time.sleep(SETTLED)
    assert one.addresses() == {VIP}
    assert watch.since(begun) == []
    assert f"{VIP}/" not in seen.read_text()
    watch.stop()


def test_a_host_that_does_not_listen_never_gets_the_address(vrrp: VrrpLab) -> None:
    one, two = vrrp.hosts
    one.serve(VIP)
    two.serve(VIP)
    assert two.send("SUSPEND")["hpcs_response"] == "PASS"
    watch = vrrp.watch(VIP)
    watch.wait("web1")
    one.kill_worker()
    one.kill_haproxy()
    wait_until(lambda: not one.has(VIP), timeout=WAIT, what="the first host to give it up")
    time.sleep(SETTLED)
    assert not two.has(VIP)
    assert two.send("ENABLE")["hpcs_response"] == "PASS"
    watch.wait("web2", TAKEOVER)
    one.start()  # with its HAProxy
    assert two.send("SUSPEND")["hpcs_response"] == "PASS"
    watch.wait("web1", 2 * TAKEOVER)
    watch.stop()


def test_a_worker_that_starts_again_changes_nothing(vrrp: VrrpLab, tmp_path: Path) -> None:
    one, two = vrrp.hosts
    one.serve(VIP)
    watch = vrrp.watch(VIP)
    watch.wait("web1")
    two.serve(VIP)
    wait_until(lambda: one.addresses() == {VIP}, timeout=WAIT, what="the address")
    seen = tmp_path / "monitor"
    monitor(vrrp.lab, "web1", seen)
    before, begun = one.keepalived(), time.monotonic()
    one.kill_worker()
    one.start()
    one.process.terminate()
    one.process.wait(WAIT)
    time.sleep(SETTLED)
    one.start()
    time.sleep(SETTLED)
    assert one.keepalived() == before
    assert watch.since(begun) == []
    assert VIP not in seen.read_text()
    watch.stop()


def test_a_keepalived_that_was_killed_is_brought_back(vrrp: VrrpLab) -> None:
    """What it left on the interface is cleared away, even what is wanted no more."""
    one, two = vrrp.hosts
    one.serve(VIP, OTHER)
    wait_until(lambda: one.addresses() == {VIP, OTHER}, timeout=WAIT, what="the addresses")
    two.serve(VIP)
    killed = one.keepalived()
    one.kill_keepalived()
    wait_until(lambda: two.has(VIP), timeout=WAIT, what="the second host")
    wait_until(lambda: not one.has(VIP), timeout=WAIT, what="the first to see that")
    wait_until(lambda: one.has(OTHER), timeout=WAIT, what="what only it has")
    assert set(one.keepalived()).isdisjoint(killed)
    one.kill_keepalived()
    assert one.send("DELETE")["hpcs_response"] == "PASS"
    wait_until(lambda: one.addresses() == set(), timeout=WAIT, what="no address")
    assert one.keepalived() == []
    assert two.addresses() == {VIP}
