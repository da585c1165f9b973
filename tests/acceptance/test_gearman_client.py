"""All seven actions, sent by the C client `gearman` to an installed libra-worker with a real HAProxy and Swift."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.archives import build_archive
from tests.support.gearmand import Gearmand
from tests.support.haproxy import find_haproxy, socket_directory, stop_master
from tests.support.haproxyworker import (
    ask_by_gearman,
    build_haproxy_worker,
    build_loadbalancer,
)
from tests.support.load import Load
from tests.support.ports import accepts, free_port
from tests.support.swift_lab import SwiftLab
from tests.support.web import EchoServer, WebServer, get
from tests.support.worker import WorkerProcess

__all__ = ["socket_directory"]


@pytest.fixture(params=["system", "packaged"])
def worker(
    request: pytest.FixtureRequest, tmp_path: Path, socket_directory: Path
) -> Iterator[WorkerProcess]:
    """A worker that runs HAProxy itself, at a real gearmand."""
    binary = find_haproxy(request.param)
    with Gearmand() as gearmand:
        process = build_haproxy_worker(tmp_path, socket_directory, binary, [gearmand.port])
        with process:
            yield process.wait_ready()
        stop_master(socket_directory / "m")


def act(worker: WorkerProcess, action: str, **fields: object) -> dict[str, Any]:
    """The reply to one action, which has to be its echo and PASS."""
    message = {"hpcs_action": action, **fields}
    reply = ask_by_gearman(worker, json.dumps(message).encode())
    assert reply["hpcs_response"] == "PASS", reply
    echoed = [name for name in reply if name in message]
    assert echoed == list(message)
    assert all(reply[name] == message[name] for name in message if name != "loadbalancers")
    return reply


def test_all_seven_actions(worker: WorkerProcess, swift: SwiftLab) -> None:
    port = free_port()
    with WebServer("one") as one, WebServer("two") as two:
        assert act(worker, "DISCOVER")["version"] == "2.0"
        act(worker, "UPDATE", loadbalancers=[build_loadbalancer(port, one, two)])
        assert {get(port) for _ in range(10)} == {(200, "one"), (200, "two")}

        statistics = act(worker, "STATS")["loadbalancers"][0]
        assert statistics["total_sessions"] == 10
        assert [node["total_sessions"] for node in statistics["nodes"]] == [5, 5]

        act(worker, "SUSPEND")
        assert not accepts(port)
        act(worker, "ENABLE")
        assert get(port)[0] == 200

        archived = act(
            worker,
            "ARCHIVE",
            hpcs_object_store_type="swift",
            hpcs_object_store_basepath="lbaaslogs",
            hpcs_object_store_endpoint=swift.storage_url,
            hpcs_object_store_token=swift.token(),
            loadbalancers=[{"id": "15", "name": "lb #1", "protocol": "HTTP"}],
        )
        log = gzip.decompress(swift.download(archived["hpcs_object_store_object"]))
        assert log.count(b"GET / HTTP/1.1") == 11

        act(worker, "DELETE")
        assert not accepts(port)
        assert act(worker, "STATS")["loadbalancers"] == []


def test_suspended_changed_enabled_deleted_and_begun_afresh(worker: WorkerProcess) -> None:
    port = free_port()
    nothing = {
        "SUSPEND": "cannot suspend: no load balancer is configured",
        "ENABLE": "cannot enable: no load balancer is configured",
        "ARCHIVE": "cannot archive: no load balancer is configured",
    }
    archive = build_archive("http://127.0.0.1:1/v1", "t", "logs", {"protocol": "HTTP"})

    def refuse_all() -> None:
        for action, words in nothing.items():
            reply = ask_by_gearman(worker, json.dumps({**archive, "hpcs_action": action}).encode())
            assert (reply["hpcs_response"], reply["hpcs_error"][: len(words)]) == ("FAIL", words)

    refuse_all()
    with WebServer("one") as one, WebServer("two") as two:
        act(worker, "UPDATE", loadbalancers=[build_loadbalancer(port, one)])
        assert get(port) == (200, "one")
        act(worker, "SUSPEND")
        act(worker, "SUSPEND")
        act(worker, "UPDATE", loadbalancers=[build_loadbalancer(port, two)])
        assert not accepts(port)
        assert act(worker, "STATS")["loadbalancers"][0]["status"] == "SUSPENDED"
        act(worker, "ENABLE")
        act(worker, "ENABLE")
        assert get(port) == (200, "two")
        act(worker, "DELETE")
        act(worker, "DELETE")
        assert not accepts(port)
        refuse_all()
        act(worker, "UPDATE", loadbalancers=[build_loadbalancer(port, one)])
        statistics = act(worker, "STATS")["loadbalancers"][0]
        assert (statistics["status"], statistics["total_sessions"]) == ("ONLINE", 0)
        assert get(port) == (200, "one")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ('{"hpcs_action": "DANCE"}', "hpcs_action"),
        ('{"hpcs_action": "SUSPEND"}', "cannot suspend"),
        ('{"hpcs_action": "UPDATE", "loadbalancers": []}', "loadbalancers"),
    ],
)
def test_bad_input_is_answered_and_changes_nothing(
    worker: WorkerProcess, text: str, words: str
) -> None:
    installed = worker.state_dir / "haproxy.cfg"
    before = installed.read_bytes()
    reply = ask_by_gearman(worker, text.encode())
    assert reply["hpcs_response"] == "FAIL"
    assert words in reply["hpcs_error"]
    assert installed.read_bytes() == before


@pytest.mark.load
def test_fifty_updates_under_load_fail_no_request(worker: WorkerProcess) -> None:
    http, tcp = free_port(), free_port()
    with WebServer("one") as one, WebServer("two") as two, EchoServer("echo") as echo:
        both = [
            build_loadbalancer(http, one, two),
            {
                "id": "16",
                "protocol": "TCP",
                "bind_address": "127.0.0.1",
                "port": tcp,
                "nodes": [{"address": "127.0.0.1", "port": echo.port}],
            },
        ]
        act(worker, "UPDATE", loadbalancers=both)
        with Load(http, keep_alive=2, idle=10, short=2, tcp=2, tcp_port=tcp) as load:
            for number in range(50):
                both[0]["connection_limit"] = 1000 + number  # which takes a reload each time
                worker.ask("UPDATE", loadbalancers=both)
        assert load.failures == []
        assert load.total > 500
