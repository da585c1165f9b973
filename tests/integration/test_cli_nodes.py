"""`libra node` over a whole controller, with a worker without a proxy."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from tests.support.cli import invoke_really
from tests.support.control import ControlLab, control_lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    # What the controller logs would stand amid what the commands print: both are this process.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with control_lab(tmp_path_factory.mktemp("clinodes")) as lab:
        lab.worker("web1")
        lab.create()
        yield lab
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def nothing_left(lab: ControlLab) -> Iterator[None]:
    yield
    for node in lab.get("/v1/nodes")["nodes"]:
        lab.delete(f"/v1/nodes/{node['name']}")


def run(lab: ControlLab, *words: str, status: int = 0) -> str:
    url = str(lab.client.base_url)
    done = invoke_really("node", *words, LIBRA_API_URL=url, LIBRA_API_TOKEN=lab.secret)
    assert done.exit_code == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def rows(lab: ControlLab, *words: str) -> Any:
    return json.loads(run(lab, *words, "-o", "json"))


def test_their_lives(lab: ControlLab) -> None:
    run(lab, "add", "node1", "group=web", "address=10.0.0.1", "port=80")
    run(lab, "add", "node2", "group=web")
    assert [row["name"] for row in rows(lab, "list")] == ["node1", "node2"]
    assert rows(lab, "list", "--group", "web", "--status", "offline") == []
    changed = rows(lab, "set", "node2", "address=10.0.0.9", "port=8080")
    assert (changed["address"], changed["port"]) == ("10.0.0.9", 8080)
    shown = rows(lab, "show", "node1")
    assert shown["sessions"]["takes_traffic"] is True
    run(lab, "group", "set", "web", "min_online=2")
    assert rows(lab, "group", "list")[0]["min_online"] == 2
    assert "cannot remove" in run(lab, "group", "remove", "web", status=1)
    run(lab, "group", "set", "web", "min_online=null")
    run(lab, "remove", "node2")
    assert "cannot find the node" in run(lab, "show", "node2", status=1)
    run(lab, "remove", "node1")
    run(lab, "group", "remove", "web")


def test_out_of_service_and_back(lab: ControlLab) -> None:
    run(lab, "add", "node1", "address=10.0.0.1")
    run(lab, "add", "node2")
    words = ("--reason", "new kernel", "--for", "600", "--wait")
    (row,) = rows(lab, "offline", "node1", *words)
    assert (row["status"], row["reason"], row["sessions"]["drained"]) == (
        "offline",
        "new kernel",
        True,
    )
    assert row["expires_at"] is not None
    assert "node1" in run(lab, "list", "--status", "offline")
    assert "cannot take that many" in run(lab, "offline", "node2", status=1)
    run(lab, "offline", "node2", "--force")
    assert "cannot find the node" in run(lab, "online", "node1", "node3", status=1)
    found = rows(lab, "online", "node1", "node2", "--wait")
    assert [row["sessions"]["takes_traffic"] for row in found] == [True, True]


def test_a_device_that_says_nothing_is_named(lab: ControlLab) -> None:
    run(lab, "add", "node1", "address=10.0.0.1")
    worker = lab.worker("web2", "127.0.0.2")
    lab.post("/v1/devices/web1/evacuate", {}, 202)
    lab.wait(lambda: not lab.get("/v1/devices/web1")["device"]["loadbalancers"], "the move")
    worker.mute = True
    said = run(lab, "offline", "node1", "--wait", "--timeout", "0.5", status=1)
    worker.mute = False
    assert "nothing heard of web2" in said
