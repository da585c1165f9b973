"""Health checks of nodes that HAProxy answers by itself: what, at runtime and over reloads."""

import http.client
import re
from dataclasses import replace
from pathlib import Path

import pytest

from libra.drivers.haproxy.driver import HAProxyDriver
from libra.model.listener import Listener, Protocol
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.nodestatus import NodeStatus, ReportedNode
from tests.support.haproxy import DrivenHAProxy, haproxy_binary, socket_directory
from tests.support.ports import LOOPBACK, free_port

__all__ = ["haproxy_binary", "socket_directory"]

NODES = (
    ReportedNode("db", "node3", NodeStatus.ONLINE),
    ReportedNode("web", "a:1@b.example", NodeStatus.OFFLINE),
    ReportedNode("web", "node1", NodeStatus.ONLINE),
    ReportedNode("web", "node2", NodeStatus.OFFLINE),
)


class Reporter:
    """A HAProxy with a health reporter."""

    def __init__(self, binary: Path, directory: Path, sockets: Path) -> None:
        self.port = free_port()
        place = f"{LOOPBACK}:{self.port}"
        self.haproxy = DrivenHAProxy(binary, directory, sockets, health_reporter=place)

    @property
    def driver(self) -> HAProxyDriver:
        return self.haproxy.driver

    def ask(self, target: str, method: str = "GET") -> tuple[int, str]:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=30)
        try:
            connection.request(method, target)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def apply(self, *nodes: ReportedNode) -> None:
        self.driver.apply(Desired(nodes=nodes, generation=1, version="2.0"))

    def reloads(self) -> int:
        return self.haproxy.master.show_processes().master.reloads


@pytest.fixture
def reporter(haproxy_binary: Path, tmp_path: Path, socket_directory: Path) -> Reporter:
    return Reporter(haproxy_binary, tmp_path, socket_directory)


def test_what_it_answers(reporter: Reporter) -> None:
    reporter.apply(*NODES)
    statuses = {
        "/health?node=node1": 200,
        "/health/?node=node1": 200,
        "/health?a=b&node=node1": 200,
        "/health?node=no%64e1": 200,
        "/health?node=node2": 503,
        "/health?node=a:1@b.example": 503,
        "/health?node=a%3A1%40b.example": 503,
        "/health?node=Node1": 404,
        "/health?node=node": 404,
        "/health?node=node11": 404,
        "/health?node=node1%00": 404,
        "/health": 400,
        "/health?node=": 400,
        "/health?node": 400,
        "/health?nodes=node1": 400,
        "/health?node=node1&node=node1": 400,
        "/health/web?node=node1": 200,
        "/health/web/?node=node1": 200,
        "/health/web?node=node2": 503,
        "/health/db?node=node1": 404,
        "/health/nowhere?node=node1": 404,
        "/health?node=web/node1": 404,
        "/health?node=web%2Fnode1": 404,
        "/health/web/x?node=node1": 404,
        "/healthz?node=node1": 404,
        "/": 404,
    }
    found = {target: reporter.ask(target)[0] for target in statuses}
    assert found == statuses
    assert reporter.ask("/health?node=node1") == (200, "OK")
    assert reporter.ask("/health?node=node1", "HEAD") == (200, "")
    assert reporter.ask("/health?node=node1", "POST")[0] == 405


def test_statuses_change_at_runtime_and_stay(reporter: Reporter) -> None:
    reporter.apply(*NODES)
    pid = reporter.haproxy.pid()
    changed = tuple(
        item._replace(status=NodeStatus.OFFLINE) if item.name == "node1" else item for item in NODES
    )
    reporter.apply(*changed)
    assert reporter.ask("/health?node=node1")[0] == 503
    assert reporter.ask("/health/web?node=node1")[0] == 503
    reporter.apply(*changed[:-1], ReportedNode("web", "node4", NodeStatus.ONLINE))  # other nodes
    assert reporter.ask("/health?node=node2")[0] == 404
    assert reporter.ask("/health/web?node=node4")[0] == 200
    assert (reporter.haproxy.pid(), reporter.reloads()) == (pid, 0)
    with_listener = LoadBalancer(
        id="a", listeners=(Listener(id="l", protocol=Protocol.HTTP, port=free_port(), pool=None),)
    )
    state = Desired(
        loadbalancers=(with_listener,), nodes=(*changed[:-1],), generation=2, version="2.0"
    )
    reporter.driver.apply(state)  # by a reload, which reads the map from its file
    assert reporter.haproxy.pid() != pid
    assert reporter.ask("/health?node=node1")[0] == 503
    assert reporter.ask("/health?node=node3")[0] == 200
    reporter.driver.close()
    reporter.haproxy.driver = reporter.haproxy.new_driver()  # as of a worker that was restarted
    reporter.driver.apply(state)
    assert reporter.reloads() == 1
    reporter.driver.apply(replace(state, nodes=NODES))
    assert reporter.ask("/health?node=node1")[0] == 200
    assert reporter.reloads() == 1


def test_a_change_by_hand_is_taken_back(reporter: Reporter) -> None:
    reporter.apply(*NODES)
    (name,) = re.findall(r"\((/.+?)\)", reporter.haproxy.admin.ask("show map"))
    reporter.haproxy.admin.ask(f"set map {name} node2 online")
    assert reporter.ask("/health?node=node2")[0] == 200
    reporter.driver.close()
    reporter.haproxy.driver = reporter.haproxy.new_driver()
    reporter.apply(*NODES)
    assert reporter.ask("/health?node=node2")[0] == 503


def test_without_nodes_every_node_is_down(reporter: Reporter) -> None:
    reporter.driver.apply(Desired())
    assert reporter.ask("/health?node=node1")[0] == 404
    reporter.apply(*NODES)
    assert reporter.ask("/health?node=node1")[0] == 200
    reporter.driver.apply(Desired())
    assert reporter.ask("/health?node=node1")[0] == 404
    assert reporter.reloads() == 0


def test_ten_thousand_nodes(reporter: Reporter) -> None:
    nodes = tuple(
        ReportedNode("web", f"node{number:05}.example.com", NodeStatus.ONLINE)
        for number in range(10_000)
    )
    reporter.apply(*nodes)
    off = (*nodes[:-1], nodes[-1]._replace(status=NodeStatus.OFFLINE))
    reporter.apply(*off)
    assert reporter.ask("/health?node=node09999.example.com")[0] == 503
    assert reporter.ask("/health/web?node=node00000.example.com")[0] == 200
    reporter.apply(*(node._replace(status=NodeStatus.OFFLINE) for node in nodes))
    assert reporter.ask("/health?node=node00000.example.com")[0] == 503
    assert reporter.reloads() == 0
