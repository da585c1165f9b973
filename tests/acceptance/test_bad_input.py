"""Bad input, sent by the C client `gearman` to an installed libra-worker whose HAProxy serves traffic meanwhile."""

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.gearmand import Gearmand
from tests.support.haproxy import find_haproxy, stop_master
from tests.support.haproxyworker import (
    Footprint,
    ask_by_gearman,
    build_haproxy_worker,
    build_loadbalancer,
)
from tests.support.ports import free_port
from tests.support.web import WebServer, get
from tests.support.worker import WorkerProcess

NODE = {"address": "10.0.0.1", "port": 80}
LB = {"protocol": "HTTP", "port": 8080, "nodes": [NODE]}


class Served(NamedTuple):
    """A worker whose load balancer serves on a port."""

    worker: WorkerProcess
    port: int


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with tempfile.TemporaryDirectory(prefix="lb") as sockets, Gearmand() as gearmand:
        worker = build_haproxy_worker(
            tmp_path_factory.mktemp("worker"),
            Path(sockets),
            find_haproxy("system"),
            [gearmand.port],
        )
        port = free_port()
        with WebServer("one") as one, worker:
            worker.wait_ready()
            reply = worker.ask("UPDATE", loadbalancers=[build_loadbalancer(port, one)])
            assert reply["hpcs_response"] == "PASS"
            yield Served(worker, port)
        stop_master(Path(sockets) / "m")


def update(*loadbalancers: Any) -> bytes:
    return json.dumps({"hpcs_action": "UPDATE", "loadbalancers": loadbalancers}).encode()


def node(**fields: object) -> bytes:
    return update({**LB, "nodes": [{**NODE, **fields}]})


def lb(**fields: object) -> bytes:
    return update({**LB, **fields})


def discover_with(text: str) -> bytes:
    return b'{"hpcs_action": "DISCOVER", "extra": ' + text.encode() + b"}"


BAD: dict[str, tuple[bytes, str]] = {
    # not JSON, not an object
    "nothing": (b"", "it is empty"),
    "half": (b'{"hpcs_action": "DISCOVER"', "not JSON"),
    "two": (b'{"hpcs_action": "DISCOVER"} {}', "not JSON"),
    "a bare NaN": (discover_with("NaN"), "NaN is no JSON"),
    "a list": (b'[{"hpcs_action": "DISCOVER"}]', "object"),
    "a text": (b'"DISCOVER"', "object"),
    "null": (b"null", "object"),
    # bytes that are no UTF-8
    "latin-1": (discover_with('"x"').replace(b"x", b"\xe9"), "UTF-8"),
    "utf-16": (discover_with("1").decode().encode("utf-16"), "UTF-8"),
    "binary": (bytes(range(256)) * 100, "UTF-8"),
    # too much of it
    "1 MB name": (lb(name="x" * 1_000_000), "name"),
    "lists 3,000 deep": (discover_with("[" * 3000 + "]" * 3000), "nest"),
    "objects 3,000 deep": (discover_with('{"a":' * 3000 + "1" + "}" * 3000), "nest"),
    "nodes 3,000 deep": (lb(nodes=0).replace(b"0}", b"[" * 3000 + b"]" * 3000 + b"}"), "nest"),
    "a number of 10,000 digits": (lb(port=0).replace(b": 0,", b": " + b"9" * 10_000 + b","), ""),
    # wrong types
    "no action": (b"{}", "hpcs_action"),
    "two actions": (b'{"hpcs_action": "DELETE", "HPCS_ACTION": "DELETE"}', "hpcs_action"),
    "an action that is a list": (b'{"hpcs_action": ["DELETE"]}', "hpcs_action"),
    "load balancers as an object": (
        b'{"hpcs_action":"UPDATE","loadbalancers":{}}',
        "loadbalancers",
    ),
    "a load balancer as a text": (update("lb"), "loadbalancers[0]"),
    "nodes as a text": (lb(nodes="10.0.0.1:80"), "nodes"),
    "a node as a list": (lb(nodes=[["10.0.0.1", 80]]), "nodes[0]"),
    "an address as a number": (node(address=167772161), "address"),
    "a port as a list": (node(port=[80]), "port"),
    "a port as a flag": (node(port=True), "port"),
    "a port with a fraction": (node(port=80.5), "port"),
    "a weight as an object": (node(weight={}), "weight"),
    "a monitor as a text": (lb(monitor="HTTP"), "monitor"),
    # values out of range
    "a port of 0": (node(port=0), "port"),
    "a port of 70000": (node(port="70000"), "port"),
    "a listening port of 0": (lb(port="0"), "port"),
    "a listening port of 70000": (lb(port=70000), "port"),
    "a weight of 257": (node(weight=257), "weight"),
    "an unknown condition": (node(condition="RESTING"), "condition"),
    "an unknown algorithm": (lb(algorithm="RANDOM"), "algorithm"),
    # what would end a line or a word of haproxy.cfg
    "an address with a newline": (node(address="10.0.0.1\nlisten x"), "address"),
    "an address with a line end": (node(address="10.0.0.1\r"), "address"),
    "an address with a space": (node(address="10.0.0.1 backup"), "address"),
    "an address with a NUL": (node(address="10.0.0.1\0"), "address"),
    "an address with a line separator": (node(address="10.0.0.1\u2028"), "address"),
    "an empty address": (node(address=""), "address"),
    "a bind address with a newline": (lb(bind_address="::\nlisten x"), "bind_address"),
    "a name with a newline": (lb(name="x\nlisten y"), "name"),
    "an id with a newline": (lb(id="x\nlisten y"), "id"),
    "a path with a newline": (
        lb(monitor={"type": "HTTP", "path": "/\r\nX: y"}),
        "path",
    ),
    "half a surrogate pair": (lb(name="x").replace(b'"x"', b'"\\ud800"'), ""),
    # too few, too many, twice
    "no load balancer": (update(), "loadbalancers"),
    "no nodes": (lb(nodes=[]), "nodes"),
    "two of HTTP": (update(LB, {**LB, "port": 8081}), "HTTP"),
    "three": (update(LB, {**LB, "protocol": "TCP", "port": 1}, LB), "loadbalancers"),
    "TCP without a port": (update({"protocol": "TCP", "nodes": [NODE]}), "port"),
    "two on one port": (update(LB, {**LB, "protocol": "TCP"}), "8080"),
    "two on one port, one of any address": (
        update({**LB, "bind_address": "127.0.0.1"}, {**LB, "protocol": "TCP"}),
        "8080",
    ),
    "duplicate nodes": (lb(nodes=[NODE, NODE]), "nodes[1]"),
    "duplicate nodes, differently spelt": (
        lb(nodes=[{"address": "::1", "port": 80}, {"address": "0:0::0:1", "port": "080"}]),
        "",
    ),
    "duplicate node ids": (lb(nodes=[{**NODE, "id": 1}, {**NODE, "port": 81, "id": "1"}]), "id"),
}


@pytest.mark.parametrize("name", BAD)
def test_it_fails_with_a_sentence_and_nothing_moves(served: Served, name: str) -> None:
    payload, words = BAD[name]
    before = Footprint.of(served.worker)
    reply = ask_by_gearman(served.worker, payload)
    assert reply["hpcs_response"] == "FAIL"
    error = reply["hpcs_error"]
    assert error.startswith("cannot "), error
    assert words in error
    assert error.isprintable()
    assert len(error) < 1000
    assert "internal error" not in error
    assert Footprint.of(served.worker) == before
    assert get(served.port) == (200, "one")


def test_a_name_of_10_mb(served: Served) -> None:
    """By our own client: what `gearman` reads from its standard input costs it quadratic time, minutes for this."""
    worker, port = served
    before = Footprint.of(worker)
    reply = worker.ask("UPDATE", timeout=60, loadbalancers=[{**LB, "name": "x" * 10_000_000}])
    assert reply["hpcs_response"] == "FAIL"
    assert "loadbalancers[0].name: it must be at most 255 characters" in str(reply["hpcs_error"])
    assert len(str(reply["hpcs_error"])) < 1000
    assert Footprint.of(worker) == before
    assert get(port) == (200, "one")


def test_5000_nodes_are_a_good_message(served: Served) -> None:
    worker, port = served
    nodes = [{"address": f"10.1.{n // 250}.{n % 250 + 1}", "port": "80"} for n in range(5000)]
    payload = update({**LB, "bind_address": "127.0.0.1", "port": port, "nodes": nodes})
    assert ask_by_gearman(worker, payload)["hpcs_response"] == "PASS"
    installed = Path(worker.settings["haproxy"]["config_file"]).read_text()
    assert len(re.findall(r"^ +server 10\.1\.", installed, re.MULTILINE)) == 5000
