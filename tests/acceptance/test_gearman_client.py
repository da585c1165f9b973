"""All seven actions, sent by the C client `gearman` to an installed libra-worker with a real HAProxy and Swift."""

import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.gearmand import Gearmand
from tests.support.haproxy import find_haproxy, socket_directory, stop_master
from tests.support.load import Load
from tests.support.ports import accepts, free_port
from tests.support.swift_lab import SwiftLab
from tests.support.web import EchoServer, WebServer, get
from tests.support.worker import WAIT, WorkerProcess

__all__ = ["socket_directory"]

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(params=["system", "packaged"])
def worker(
    request: pytest.FixtureRequest, tmp_path: Path, socket_directory: Path
) -> Iterator[WorkerProcess]:
    """A worker that runs HAProxy itself, at a real gearmand."""
    binary = find_haproxy(request.param)
    with Gearmand() as gearmand:
        process = WorkerProcess(
            tmp_path,
            [gearmand.port],
            worker={"driver": "haproxy"},
            haproxy={
                "supervisor": "own",
                "binary": str(binary),
                "config_file": str(tmp_path / "state" / "haproxy.cfg"),
                "admin_socket": str(socket_directory / "a"),
                "master_socket": str(socket_directory / "m"),
                "log_file": str(tmp_path / "haproxy.log"),
            },
            object_stores={"swift": {"allowed_endpoints": ["http://127.0.0.1:*"]}},
        )
        with process:
            yield process.wait_ready()
        stop_master(socket_directory / "m")


def send(worker: WorkerProcess, text: str) -> dict[str, Any]:
    """The reply to these bytes, by a program that nobody here wrote."""
    program = shutil.which("gearman")
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("gearman is not installed")
    done = subprocess.run(
        [program, "-h", "127.0.0.1", "-p", str(worker.ports[0]), "-f", worker.name],
        input=text.encode(),
        capture_output=True,
        timeout=2 * WAIT,
        check=True,
    )
    return dict(json.loads(done.stdout))


def act(worker: WorkerProcess, action: str, **fields: object) -> dict[str, Any]:
    """The reply to one action, which has to be its echo and PASS."""
    message = {"hpcs_action": action, **fields}
    reply = send(worker, json.dumps(message))
    assert reply["hpcs_response"] == "PASS", reply
    echoed = [name for name in reply if name in message]
    assert echoed == list(message)
    assert all(reply[name] == message[name] for name in message if name != "loadbalancers")
    return reply


def loadbalancer(port: int, *nodes: WebServer) -> dict[str, object]:
    return {
        "id": "15",
        "name": "lb #1",
        "protocol": "http",
        "bind_address": "127.0.0.1",
        "port": str(port),
        "nodes": [{"address": "127.0.0.1", "port": str(node.port)} for node in nodes],
    }


def test_all_seven_actions(worker: WorkerProcess, swift: SwiftLab) -> None:
    port = free_port()
    with WebServer("one") as one, WebServer("two") as two:
        assert act(worker, "DISCOVER")["version"] == "2.0"
        act(worker, "UPDATE", loadbalancers=[loadbalancer(port, one, two)])
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
    reply = send(worker, text)
    assert reply["hpcs_response"] == "FAIL"
    assert words in reply["hpcs_error"]
    assert installed.read_bytes() == before


@pytest.mark.load
def test_fifty_updates_under_load_fail_no_request(worker: WorkerProcess) -> None:
    http, tcp = free_port(), free_port()
    with WebServer("one") as one, WebServer("two") as two, EchoServer("echo") as echo:
        both = [
            loadbalancer(http, one, two),
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
