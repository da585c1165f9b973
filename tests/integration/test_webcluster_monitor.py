"""Web clusters over REST, with workers that answer: started, changed node by node, taken over, stopped."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import libra.worker.controller
from libra.model.loadbalancer import Desired
from tests.support.cli import run
from tests.support.control import ControlLab, ThreadWorker, control_lab
from tests.support.ports import wait_until

Json = dict[str, Any]
CLUSTERS = "/v1/webclusters"
OLD = {"type": "redirect", "url": "https://old.example/"}


class Lab:
    """Three workers, whose listeners answer unless they are `mute`, and a cluster."""

    def __init__(self, control: ControlLab) -> None:
        self.control = control
        self.mute: set[str] = set()
        self.workers: dict[str, ThreadWorker] = {
            name: control.worker(name) for name in ("web1", "web2", "web3")
        }

    def knock(self, desired: Desired, _listening: object) -> dict[str, bool]:
        name = threading.current_thread().name.removeprefix("worker-")
        return {
            listener.id: name not in self.mute
            for owner in desired.loadbalancers
            for listener in owner.listeners
            if listener.services is not None and listener.enabled
        }

    def make(self, *nodes: str, standby: tuple[str, ...] = ()) -> None:
        self.control.post(CLUSTERS, {"name": "cluster1", "tcp_port": 8080})
        self.add_service("/", OLD)
        for name in (*nodes, *standby):
            body = {"node": name, "standby": name in standby}
            self.control.post(f"{CLUSTERS}/cluster1/nodes", body)

    def start(self) -> None:
        self.order("start")
        self.wait("RUNNING")

    def order(self, verb: str) -> None:
        answer = self.control.client.post(f"{CLUSTERS}/cluster1/{verb}")
        assert answer.is_success, answer.text

    def add_service(self, path: str, service: Json, status: int = 201) -> Json:
        answer = self.control.client.post(
            f"{CLUSTERS}/cluster1/services", json={"path": path, **service}
        )
        assert answer.status_code == status, answer.text
        found: Json = answer.json()
        return found

    def show(self) -> Json:
        found: Json = self.control.get(f"{CLUSTERS}/cluster1")["webcluster"]
        return found

    def wait(self, status: str) -> None:
        wait_until(lambda: self.show()["status"] == status, timeout=60, what=status)

    def runs(self, name: str) -> Json | None:
        """What a worker has of it: paths, and whether it listens."""
        for owner in self.workers[name].driver.desired.loadbalancers:
            for listener in owner.listeners:
                if listener.services is not None:
                    paths = [item.path for item in listener.services]
                    return {"paths": paths, "open": listener.enabled}
        return None

    def open(self) -> set[str]:
        found = {name: self.runs(name) for name in self.workers}
        return {name for name, item in found.items() if item and item["open"]}

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        wait_until(condition, timeout=60, what=what)

    def events(self) -> list[str]:
        listed = self.control.get("/v1/events")["events"]
        return [item["kind"] for item in listed if item["kind"].startswith("on_web")]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with control_lab(tmp_path, probe_seconds=0.3, web_grace_seconds=1) as control:
        found = Lab(control)
        monkeypatch.setattr(libra.worker.controller, "knock_all", found.knock)
        yield found


def test_it_is_started_and_stopped_and_deleted(lab: Lab) -> None:
    lab.make("web1", "web2", standby=("web3",))
    assert lab.show()["status"] == "STOPPED"
    assert lab.runs("web1") is None
    lab.start()
    assert lab.open() == {"web1", "web2"}
    assert lab.runs("web3") == {"paths": ["/"], "open": False}
    lab.order("stop")
    lab.wait("STOPPED")
    assert [lab.runs(name) for name in lab.workers] == [None] * 3
    assert lab.control.client.delete(f"{CLUSTERS}/cluster1").status_code == 200
    started = ["on_webcluster_starting", "on_webcluster_started"]
    stopped = ["on_webcluster_stopping", "on_webcluster_stopped", "on_webcluster_deleted"]
    assert [kind for kind in lab.events() if kind in (*started, *stopped)] == [*started, *stopped]


def test_a_change_reaches_every_node_and_one_that_is_refused_none(lab: Lab) -> None:
    lab.make("web1", "web2")
    lab.start()
    lab.add_service("/a", OLD)
    lab.wait_for(
        lambda: all(
            lab.runs(name) == {"paths": ["/", "/a"], "open": True} for name in ("web1", "web2")
        ),
        "the new path",
    )
    lab.workers["web2"].refuse = "no.such.example"
    answer = lab.add_service("/b", {"type": "redirect", "url": "https://no.such.example"}, 400)
    assert "web2 refuses it: cannot do that" in str(answer)
    assert "invalid_configuration" in str(answer)
    assert set(lab.control.get(f"{CLUSTERS}/cluster1/services")["services"]) == {"/", "/a"}
    assert lab.runs("web1") == {"paths": ["/", "/a"], "open": True}


def test_a_change_that_a_node_refuses_later_is_taken_back(lab: Lab) -> None:
    lab.make("web1", "web2")
    lab.start()
    worker = lab.workers["web2"]
    worker.refuse_for_real = "gone.example"
    lab.add_service("/c", {"type": "redirect", "url": "https://gone.example"})
    lab.wait_for(lambda: "on_webcluster_rolled_back" in lab.events(), "the way back")
    lab.wait_for(lambda: lab.runs("web1") == {"paths": ["/"], "open": True}, "what was before")
    assert set(lab.control.get(f"{CLUSTERS}/cluster1/services")["services"]) == {"/"}
    lab.wait("RUNNING")
    worker.refuse_for_real = None
    lab.add_service("/d", OLD)
    lab.wait_for(lambda: lab.runs("web2") == {"paths": ["/", "/d"], "open": True}, "a new change")


def test_a_standby_takes_over_and_the_node_gets_its_place_back(lab: Lab) -> None:
    lab.make("web1", "web2", standby=("web3",))
    lab.start()
    lab.workers["web1"].mute = True
    lab.wait_for(lambda: lab.open() >= {"web2", "web3"}, "the standby")
    lab.wait("RUNNING")
    nodes = {
        name: lab.control.get(f"{CLUSTERS}/cluster1/nodes/{name}")["node"]
        for name in ("web1", "web3")
    }
    assert nodes["web1"]["active"] is False
    assert nodes["web3"]["promoted_for"] == nodes["web1"]["node_oid"]
    lab.control.stop_controller()
    lab.control.start_controller()
    lab.control.client = lab.control.client_with(lab.control.secret)
    lab.workers["web1"].mute = False
    lab.wait_for(lambda: lab.open() == {"web1", "web2"}, "the place back")
    assert lab.events().count("on_webcluster_node_promoted") == 1
    assert lab.events().count("on_webcluster_node_demoted") == 2


def test_a_listener_that_answers_nothing_degrades_it(lab: Lab) -> None:
    lab.make("web1", "web2")
    lab.start()
    lab.mute.add("web2")
    lab.wait("DEGRADED")
    assert "web2 answers no request" in lab.show()["reason"]
    lab.mute.clear()
    lab.wait("RUNNING")


def test_a_node_that_is_added_and_taken_out_while_it_runs(lab: Lab) -> None:
    lab.make("web1")
    lab.start()
    lab.control.post(f"{CLUSTERS}/cluster1/nodes", {"node": "web2"})
    lab.wait_for(lambda: lab.open() == {"web1", "web2"}, "the new node")
    assert lab.control.client.delete(f"{CLUSTERS}/cluster1/nodes/web1").status_code == 200
    lab.wait_for(lambda: lab.runs("web1") is None, "that it lets go")
    assert lab.open() == {"web2"}
    lab.wait("RUNNING")


def test_the_command_does_not_wait_for_what_does_not_come(lab: Lab) -> None:
    """Where nobody does anything, a node that refuses it refuses it still in two minutes."""
    lab.make("web1")
    lab.workers["web1"].refuse_for_real = "cluster1"
    url, token = str(lab.control.client.base_url), lab.control.secret
    environ = {"LIBRA_API_URL": url, "LIBRA_API_TOKEN": token}
    done = run("webcluster", "start", "cluster1", "--wait", "--timeout", "50", environ=environ)
    assert done.returncode == 1
    assert "cluster1 is ERROR: web1 refuses it" in " ".join(done.stderr.split())
