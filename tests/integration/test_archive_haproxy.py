"""ARCHIVE of what a real HAProxy has logged."""

import gzip
import socket

from libra.messages.replies import passed
from libra.objectstores.memory import MemoryStore
from libra.worker.archive import Archiver
from libra.worker.controller import LBaaSController
from tests.support.archives import build_archive
from tests.support.haproxy import DrivenHAProxy, haproxy, haproxy_binary, socket_directory
from tests.support.ports import LOOPBACK, free_ports, wait_until
from tests.support.web import WebServer, get

__all__ = ["haproxy", "haproxy_binary", "socket_directory"]

REQUESTS = 25


def say(port: int, data: bytes) -> None:
    """Send raw bytes, and read until the other side closes."""
    with socket.create_connection((LOOPBACK, port), timeout=30) as one:
        one.sendall(data)
        one.shutdown(socket.SHUT_WR)
        while one.recv(4096):
            pass


def test_each_load_balancer_gets_its_own_lines(haproxy: DrivenHAProxy) -> None:
    store = MemoryStore()
    controller = LBaaSController(haproxy.driver, archiver=Archiver(stores={"memory": store}))
    log = haproxy.settings.haproxy.log_file
    http_port, tcp_port = free_ports(2)
    with WebServer("one") as web:
        nodes = [{"address": LOOPBACK, "port": web.port}]
        update = {
            "hpcs_action": "UPDATE",
            "loadbalancers": [
                {"id": "a b/ü", "protocol": "HTTP", "port": http_port, "nodes": nodes},
                {"id": "a b", "protocol": "TCP", "port": tcp_port, "nodes": nodes},
            ],
        }
        assert passed(controller.handle(update))
        for _ in range(REQUESTS):
            assert get(http_port)[0] == 200
            assert get(tcp_port)[0] == 200
        say(http_port, b"GET /] fe-a_20b be/s1 HTTP/1.1\r\n\r\n")  # refused, but logged
        lines = 2 * REQUESTS + 1
        wait_until(lambda: log.exists() and log.read_text().count("] fe-") >= lines)

    message = build_archive(
        "http://unused.example/v1",
        "unused-token",
        "lbaaslogs",
        {"id": "a b/ü", "protocol": "HTTP"},
        {"id": "a b", "protocol": "TCP"},
    )
    reply = controller.handle({**message, "hpcs_object_store_type": "memory"})
    assert passed(reply), reply
    assert reply["hpcs_object_store_lines"] == [REQUESTS + 1, REQUESTS]
    one, other = (gzip.decompress(store.get(path) or b"") for path in store.paths())
    by_length = sorted((one, other), key=lambda data: data.count(b"\n"))
    assert by_length[0].count(b"HTTP/1.1") == 0
    assert by_length[1].count(b'"GET / HTTP/1.1"') == REQUESTS
    assert b"<BADREQ>" in by_length[1]
