"""Members that are checked by ping: real ICMP between hosts, and what HAProxy makes of it."""

import sys
from typing import Any

import pytest

from libra.drivers.haproxy.pinging.sockets import Link
from tests.support.haproxy import haproxy_binary, is_running, kill, socket_directory
from tests.support.pinglab import PingLab, device, hosts, lab
from tests.support.ports import free_port, wait_until
from tests.support.second import listener, loadbalancer, node, pool, update
from tests.support.seconddevice import Device, Message, one, two
from tests.support.web import WebServer, get

__all__ = ["device", "haproxy_binary", "hosts", "lab", "one", "socket_directory", "two"]

PING = {"type": "PING", "delay": 1, "timeout": 1, "attempts": 1, "attempts_down": 2}


def web(port: int, *nodes: Message, **fields: Any) -> Message:
    """One listener, one pool; the fields are the pool's."""
    made = [pool("p", *nodes, monitor=PING, **fields)]
    return update(loadbalancer("lb", [listener("li", port, pool="p")], made))


def checks(device: Device) -> dict[str, tuple[str, str | None]]:
    nodes = device.stats()["loadbalancers"][0]["pools"][0]["nodes"]
    return {item["id"]: (item["status"], item["last_check"]) for item in nodes}


def wait(device: Device, **states: str) -> None:
    """Until these nodes are so, and have been pinged."""

    def found() -> bool:
        told = checks(device)
        return all(told[name][0] == state and told[name][1] for name, state in states.items())

    wait_until(found, what=f"{states}")


def answers(port: int, times: int = 6) -> set[str]:
    return {get(port)[1] for _ in range(times)}


def both(lab: PingLab, one: WebServer, two: WebServer) -> tuple[Message, Message]:
    return (
        node("one", one.port, monitor_address=lab.address("first")),
        node("two", two.port, monitor_address=lab.address("second")),
    )


def test_a_member_that_answers_no_ping_serves_nobody_until_it_does(
    device: Device, lab: PingLab, one: WebServer, two: WebServer
) -> None:
    port = free_port()
    device.pass_(web(port, *both(lab, one, two)))
    wait(device, one="UP", two="UP")
    assert answers(port) == {"one", "two"}
    assert checks(device)["one"] == ("UP", "L3OK")
    lab.cut("first")
    try:
        wait(device, one="DOWN", two="UP")
        assert answers(port) == {"two"}
        assert checks(device)["one"] == ("DOWN", "L3TOUT")
        assert device.stats()["loadbalancers"][0]["status"] == "DEGRADED"
    finally:
        lab.heal("first")
    wait(device, one="UP", two="UP")
    assert answers(port) == {"one", "two"}
    assert device.reloads() == 0


def test_a_worker_that_ends_or_starts_turns_nobody(
    device: Device, lab: PingLab, one: WebServer, two: WebServer
) -> None:
    """Also where all that a new one has seen is a member that does not answer, and over a reload."""
    port = free_port()
    desired = web(port, *both(lab, one, two))
    device.pass_(desired)
    lab.silence("first")
    wait(device, one="DOWN", two="UP")
    device.haproxy.driver.close()
    assert answers(port) == {"two"}
    lab.silence("second")
    device.restart()
    assert answers(port) == {"two"}
    device.pass_(web(port, *both(lab, one, two), algorithm="LEAST_CONNECTIONS"))
    assert device.reloads() == 1
    assert answers(port) == {"two"}
    wait(device, one="DOWN", two="DOWN")
    assert get(port)[0] == 503
    lab.silence("second", ends=True)
    wait(device, one="DOWN", two="UP")


def test_a_haproxy_that_ended_is_told_again(
    device: Device, lab: PingLab, one: WebServer, two: WebServer
) -> None:
    port = free_port()
    device.pass_(web(port, *both(lab, one, two)))
    lab.silence("first")
    wait(device, one="DOWN", two="UP")
    pids = (device.haproxy.master.show_processes().master.pid, device.haproxy.pid())
    for pid in pids:
        kill(pid)
    wait_until(lambda: not any(map(is_running, pids)), what="its end")
    device.haproxy.driver.ensure_running()
    wait(device, one="DOWN", two="UP")
    assert answers(port) == {"two"}


def test_members_come_go_and_rest_without_a_reload(
    device: Device, lab: PingLab, one: WebServer, two: WebServer
) -> None:
    port = free_port()
    good, bad = both(lab, one, two)[0], node("x", two.port, monitor_address="10.77.0.99")
    device.pass_(web(port, good))
    device.pass_(web(port, good, bad))
    wait(device, one="UP", x="DOWN")
    assert answers(port) == {"one"}
    device.pass_(web(port, good, {**bad, "condition": "DISABLED"}))
    assert checks(device)["x"][0] == "MAINT"
    device.pass_(web(port, good, bad))
    wait(device, x="DOWN")
    device.pass_(web(port, {**good, "condition": "DRAINING"}, bad))
    assert checks(device)["one"][0] == "DRAIN"
    device.pass_(web(port, good))
    assert answers(port) == {"one"}
    assert device.reloads() == 0


def test_a_backup_serves_when_no_other_answers(
    device: Device, lab: PingLab, one: WebServer, two: WebServer
) -> None:
    port = free_port()
    first, second = both(lab, one, two)
    device.pass_(web(port, first, {**second, "backup": True}))
    wait(device, one="UP", two="UP")
    assert answers(port) == {"one"}
    lab.silence("first")
    wait(device, one="DOWN", two="UP")
    assert answers(port) == {"two"}


def test_who_is_checked_otherwise_from_now_on_is_up(
    device: Device, lab: PingLab, one: WebServer, two: WebServer
) -> None:
    """Without a monitor nobody would ever bring it up again."""
    port = free_port()
    nodes = both(lab, one, two)
    device.pass_(web(port, *nodes))
    lab.silence("first")
    wait(device, one="DOWN")
    parts = [listener("li", port, pool="p")], [pool("p", *nodes)]
    device.pass_(update(loadbalancer("lb", *parts)))
    assert {state for state, _ in checks(device).values()} == {"no check"}
    assert answers(port) == {"one", "two"}


def test_names_and_ipv6(device: Device, lab: PingLab, one: WebServer) -> None:
    """A name's address is the one that HAProxy found."""
    port = free_port()
    six = node("six", one.port, monitor_address="fd77::2")
    gone = node("gone", free_port(), monitor_address="fd77::99")
    device.pass_(web(port, six, gone, {**node("name", one.port), "address": "localhost"}))
    wait(device, six="UP", gone="DOWN", name="UP")


def refuse(version: int) -> Link:
    raise PermissionError(1, "Operation not permitted")


def test_a_host_that_lets_nobody_ping_says_what_to_do(
    device: Device, lab: PingLab, one: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What runs goes on. Where it is installed already, HAProxy must not be missing for it."""
    port = free_port()
    nodes = [node("one", one.port, monitor_address=lab.address("first"))]
    parts = [listener("li", port, pool="p")], [pool("p", *nodes)]
    monkeypatch.setattr(lab, "open_link", refuse)
    device.restart()
    device.pass_(update(loadbalancer("lb", *parts)))
    before = device.haproxy.text()
    error = device.fail(web(port, *nodes))
    assert error.startswith("cannot check pool 'p' by PING: cannot ping: this host lets")
    assert "net.ipv4.ping_group_range" in error
    assert (device.haproxy.text(), get(port)[1]) == (before, "one")
    monkeypatch.undo()
    device.restart()
    device.pass_(web(port, *nodes))
    monkeypatch.setattr(lab, "open_link", refuse)
    device.restart()
    assert get(port)[1] == "one"
    assert checks(device) == {"one": ("no check", None)}
    assert "PING" in device.fail(
        update(
            loadbalancer("lb", *parts),
            loadbalancer(
                "l", [listener("o", free_port(), pool="q")], [pool("q", *nodes, monitor=PING)]
            ),
        )
    )


WITHOUT = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")
SCRIPT = """
import select, sys
from libra.drivers.haproxy.pinging.sockets import open_link
link = open_link(int(sys.argv[1]))
link.send(sys.argv[2], 7)
poll = select.poll()
poll.register(link.fileno(), select.POLLIN)
poll.poll(5000)
print(*(reply.number for reply in link.receive()))
"""


@pytest.mark.parametrize(("version", "address"), [(4, "127.0.0.1"), (6, "::1")])
def test_it_takes_a_capability_or_a_group(lab: PingLab, version: int, address: str) -> None:
    """A new network namespace names no group."""
    command = (sys.executable, "-c", SCRIPT, str(version), address)
    assert lab.run("home", *command) == "7\n"
    with pytest.raises(AssertionError, match=r"PermissionError: \[Errno 13\]"):
        lab.run("home", *WITHOUT, *command)
    lab.run("home", "sysctl", "-q", "-w", "net.ipv4.ping_group_range=0 0")
    try:
        assert lab.run("home", *WITHOUT, *command) == "7\n"
    finally:
        lab.run("home", "sysctl", "-q", "-w", "net.ipv4.ping_group_range=1 0")
