"""Generations, what is saved, and what many load balancers cost."""

import json
from pathlib import Path

from tests.support.haproxy import haproxy, haproxy_binary, socket_directory
from tests.support.ports import free_port
from tests.support.second import listener, loadbalancer, node, pool, update
from tests.support.seconddevice import Device, Message, device, one, simple, two
from tests.support.web import WebServer, get

__all__ = ["device", "haproxy", "haproxy_binary", "one", "socket_directory", "two"]


def test_generations_only_go_forward(device: Device, one: WebServer, two: WebServer) -> None:
    port = free_port()
    first = {**simple(port, node("n", one.port)), "hpcs_generation": 5}
    second = {**simple(port, node("n", two.port)), "hpcs_generation": 6}
    digests = [device.pass_(message)["digest"] for message in (first, second, second)]
    assert digests[0] != digests[1] == digests[2]
    assert device.fail(first) == "cannot go back to generation 5: 6 was asked for already"
    assert get(port) == (200, "two")
    statistics = device.stats()
    assert (statistics["digest"], statistics["generation"]) == (digests[1], 6)
    device.restart()
    assert device.fail(first).startswith("cannot go back to generation 5")
    assert device.stats()["digest"] == digests[1]
    empty = device.pass_({**update(), "hpcs_generation": 7})
    assert empty["generation"] == 7
    device.restart()
    assert device.fail(second) == "cannot go back to generation 6: 7 was asked for already"
    device.pass_({"hpcs_action": "DELETE"})
    device.pass_(first)
    assert get(port) == (200, "one")


def test_a_generation_that_runs_is_not_touched(device: Device, one: WebServer) -> None:
    message = {**simple(free_port(), node("n", one.port)), "hpcs_generation": 5}
    device.pass_(message)
    before = (device.haproxy.config_file.stat().st_mtime_ns, device.path.stat().st_mtime_ns)
    device.haproxy.driver.stop()  # and it would be started by anything that looks
    device.pass_(message)
    after = (device.haproxy.config_file.stat().st_mtime_ns, device.path.stat().st_mtime_ns)
    assert after == before


def test_both_versions_follow_each_other(device: Device, one: WebServer, tmp_path: Path) -> None:
    port = free_port()
    old = {
        "hpcs_action": "UPDATE",
        "loadbalancers": [
            {
                "protocol": "HTTP",
                "port": port,
                "bind_address": "127.0.0.1",
                "nodes": [node("n", one.port)],
            }
        ],
    }
    reply = device.pass_(old)
    assert "digest" not in reply
    assert json.loads(device.path.read_bytes())["format"] == 1
    device.pass_(simple(port, node("n", one.port)))
    assert json.loads(device.path.read_bytes())["format"] == 2
    device.pass_(old)
    assert get(port) == (200, "one")
    assert json.loads(device.path.read_bytes())["format"] == 1


def test_one_node_of_many_changes_at_runtime(device: Device, one: WebServer) -> None:
    """200 listeners and 5,000 nodes."""
    port = free_port()
    many = [{"id": f"n{n}", "address": f"10.0.{n >> 8}.{n & 255}", "port": 80} for n in range(4975)]

    def desire(weight: int) -> Message:
        balancers = [
            {
                **loadbalancer(
                    f"lb{n}",
                    [listener(f"li{n}", port, pool=f"p{n}")],
                    [pool(f"p{n}", *(many[n * 25 : n * 25 + 25]))],
                ),
                "address": f"127.1.0.{n + 1}",
            }
            for n in range(199)
        ]
        nodes = [node("n", one.port, weight=weight)]
        last = loadbalancer("last", [listener("last", port, pool="last")], [pool("last", *nodes)])
        return update(*balancers, last)

    device.pass_(desire(1))
    assert get(port) == (200, "one")
    device.pass_(desire(2))
    assert device.reloads() == 0
    states = device.haproxy.admin.ask("show servers state be-last")
    assert " 2 " in states.splitlines()[-1]
