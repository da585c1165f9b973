"""Nodes by REST, over a whole controller: the seed's methods, ours, and who may."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from libra.manager.settle import MANAGER
from libra.model.access import Role
from libra.usecases.tokens import create_token
from tests.support.control import ControlLab, Json, control_lab

STATUS, SET = "/health/++rest++nodestatus", "/health/++rest++setstatus"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    with control_lab(tmp_path_factory.mktemp("nodes")) as lab:
        yield lab


@pytest.fixture(autouse=True)
def nothing_left(lab: ControlLab) -> Iterator[None]:
    yield
    for node in lab.get("/v1/nodes")["nodes"]:
        lab.delete(f"/v1/nodes/{node['name']}")
    for group in lab.get("/v1/nodegroups")["nodegroups"]:
        lab.delete(f"/v1/nodegroups/{group['name']}")


def add(lab: ControlLab, *names: str, **fields: Any) -> None:
    for name in names:
        lab.post("/v1/nodes", {"name": name, **fields})


def probe(lab: ControlLab, name: str, group: str = "") -> tuple[int, str]:
    path = f"/health/{group}" if group else "/health"
    answer = lab.client_with(None).get(path, params={"node": name})
    return answer.status_code, answer.text


def set_by_form(lab: ControlLab, change: Json, **more: str) -> httpx.Response:
    """As the seed's task does it."""
    return lab.client.post(
        SET, data={"change": json.dumps(change), "skip-bethel-auth": "1", **more}
    )


def test_health_checks(lab: ControlLab) -> None:
    assert probe(lab, "node1")[0] == 404  # nothing is registered: every node is down
    add(lab, "node1", "node2")
    assert probe(lab, "node1") == (200, "OK")
    assert probe(lab, "Node1")[0] == 404
    assert probe(lab, "")[0] == 400
    nobody = lab.client_with(None)
    assert nobody.get("/health").status_code == 400
    assert nobody.get("/health?node=node1&node=node2").status_code == 400
    assert nobody.get("/health?nose=node1").status_code == 400
    assert nobody.get("/health?node=no%64e1&a=b").status_code == 200
    assert nobody.head("/health?node=node1").status_code == 200
    assert nobody.post("/health?node=node1").status_code == 405
    assert nobody.get("/healthz").status_code == 200
    assert set_by_form(lab, {"node1": {"status": "offline"}}).json() == {"status": "OK"}
    assert probe(lab, "node1")[0] == 503
    assert probe(lab, "node2") == (200, "OK")


def test_groups_of_nodes(lab: ControlLab) -> None:
    add(lab, "node1", "node2", group="web")
    add(lab, "other")
    assert probe(lab, "node1", "web") == (200, "OK")
    assert probe(lab, "other", "web")[0] == 404
    assert probe(lab, "node1", "nowhere")[0] == 404
    assert lab.get(f"/health/web{STATUS.removeprefix('/health')}") == {
        "node1": {"status": "online"},
        "node2": {"status": "online"},
    }
    lab.get("/health/nowhere/++rest++nodestatus", 404)
    path = "/health/web/++rest++setstatus"
    lab.post(path, {"node1": {"status": "offline"}, "other": {"status": "offline"}}, 404)
    assert [status["status"] for status in lab.get(STATUS).values()] == ["online"] * 3
    lab.post(path, {"node1": {"status": "offline"}}, 200)
    assert probe(lab, "node1", "web")[0] == 503
    assert lab.get("/v1/nodegroups/web")["nodegroup"]["online"] == 1
    assert names_of(lab, group="web") == ["node1", "node2"]
    assert names_of(lab, status="offline") == ["node1"]
    assert names_of(lab, marker="node1", limit="1") == ["node2"]


def names_of(lab: ControlLab, **asked: str) -> list[str]:
    answer = lab.client.get("/v1/nodes", params=asked)
    return [node["name"] for node in answer.json()["nodes"]]


def test_several_at_once_or_none(lab: ControlLab) -> None:
    assert lab.get(STATUS) == {}
    add(lab, "a", "b", "c")
    assert set_by_form(lab, {}).status_code == 200
    change = {
        "a": {"status": "offline", "why": "extra keys are passed over"},
        "b": {"status": "offline"},
    }
    for _ in range(2):  # again is a no-op
        assert set_by_form(lab, change).json() == {"status": "OK"}
        assert lab.get(STATUS) == {
            "a": {"status": "offline"},
            "b": {"status": "offline"},
            "c": {"status": "online"},
        }
    back = {"a": {"status": "online"}, "nowhere": {"status": "online"}}
    answer = set_by_form(lab, back)
    assert answer.status_code == 404
    assert "nowhere" in answer.text
    assert lab.get(STATUS)["a"] == {"status": "offline"}
    events = lab.get("/v1/events", kind="node.offline")["events"]
    assert [event["actor"] for event in events][-2:] == ["admin", "admin"]


BAD = (
    "",
    "{",
    "[]",
    '"a"',
    "null",
    '{"a": "offline"}',
    '{"a": {}}',
    '{"a": {"status": "Offline"}}',
    '{"a": {"status": "gone"}}',
    '{"a": {"status": ["offline"]}}',
    '{"a": {"status": null}}',
    '{"a": {"status": "offline"}, "a": {"status": "online"}}',
    '{"\\ud800": {"status": "offline"}}',
    "[" * 100_000,
)


@pytest.mark.parametrize("text", BAD)
def test_bad_changes_change_nothing(lab: ControlLab, text: str) -> None:
    add(lab, "a", "b")
    for answer in (
        lab.client.post(SET, data={"change": text}),
        lab.client.post(SET, content=text, headers={"content-type": "application/json"}),
    ):
        assert answer.status_code == 400, answer.text
        assert "cannot set" in answer.json()["faultstring"]
    assert lab.get(STATUS)["a"] == {"status": "online"}


def test_other_ways_to_say_it(lab: ControlLab) -> None:
    add(lab, "a", "b")
    offline = json.dumps({"a": {"status": "offline"}})
    assert lab.client.post(SET, params={"change": offline, "reason": "new kernel"}).is_success
    shown = lab.get("/v1/nodes/a")["node"]
    assert (shown["status"], shown["reason"], shown["author"]) == ("offline", "new kernel", "admin")
    assert lab.client.post(SET, json={"a": {"status": "online"}}).is_success
    assert probe(lab, "a")[0] == 200
    wrapped = {"change": {"a": {"status": "offline"}}}
    assert lab.client.post(SET, json=wrapped).is_success
    assert probe(lab, "a")[0] == 503
    add(lab, "change")
    assert lab.client.post(SET, json={"change": {"status": "offline"}}).is_success
    assert probe(lab, "change")[0] == 503
    kind = {"content-type": "application/json"}
    online = json.dumps({"a": {"status": "online"}})
    assert lab.client.post(SET, params={"change": online}, headers=kind).is_success
    assert probe(lab, "a")[0] == 200
    assert lab.client.post(SET).status_code == 400
    assert lab.client.post(SET, files={"change": b"{}"}).status_code == 400
    two = {"change": offline}
    assert lab.client.post(SET, params=two, data={"change": "{}"}).status_code == 400
    for name, value in (
        ("force", "perhaps"),
        ("expires_in", "0"),
        ("expires_in", "soon"),
        ("reason", "a\nb"),
    ):
        assert lab.client.post(SET, params={**two, name: value}).status_code == 400, name
    assert probe(lab, "a")[0] == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_wrong_methods(lab: ControlLab, method: str) -> None:
    answer = lab.client.request(method, SET)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert lab.client.post(STATUS).status_code == 405


def test_deployers_do_that_and_nothing_else(lab: ControlLab) -> None:
    add(lab, "a", "b")
    _, secret = create_token(lab.controller.services, MANAGER, "deploy", Role.DEPLOYER)
    basic = base64.b64encode(f"deploy:{secret}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}"}
    nobody = lab.client_with(None)
    change = {"change": json.dumps({"a": {"status": "offline"}})}
    assert nobody.post(SET, data=change).status_code == 401
    assert nobody.get(STATUS).status_code == 401
    assert nobody.post(SET, data=change, headers=headers).json() == {"status": "OK"}
    assert nobody.get(STATUS, headers=headers).json()["a"] == {"status": "offline"}
    assert nobody.get("/v1/nodes/a", headers=headers).status_code == 200
    for path in (
        "/v1/devices",
        "/v1/jobs",
        "/v1/events",
        "/load-balancer/v2.0/lbaas/pools",
    ):
        assert nobody.get(path, headers=headers).status_code == 403, path
    version = {"OpenStack-API-Version": "volume 3.7"}
    assert nobody.get("/v3/clusters", headers={**headers, **version}).status_code == 403
    assert nobody.post("/v1/nodes", json={"name": "c"}, headers=headers).status_code == 403
    assert nobody.delete("/v1/nodes/a", headers=headers).status_code == 403
    member = lab.token(Role.MEMBER, "some-project")
    assert member.get(STATUS).status_code == 403
    assert member.post(SET, data=change).status_code == 403


def test_the_last_one_stays_online(lab: ControlLab) -> None:
    add(lab, "a", "b", "c", group="web")
    away = {"status": "offline"}
    assert set_by_form(lab, {"a": away, "b": away}).status_code == 200
    answer = set_by_form(lab, {"c": away})
    assert answer.status_code == 409
    assert "web" in answer.text
    assert probe(lab, "c")[0] == 200
    assert set_by_form(lab, {"c": away}, force="true").status_code == 200
    assert set_by_form(lab, {"c": away}).status_code == 200  # nothing changes
    assert set_by_form(lab, {"a": {"status": "online"}}).status_code == 200
    lab.put("/v1/nodegroups/web", {"min_online": 2})
    assert set_by_form(lab, {"b": {"status": "online"}}).status_code == 200
    lab.put("/v1/nodes/b/status", away, 409)
    lab.put("/v1/nodegroups/web", {"min_online": 0})
    assert set_by_form(lab, {"a": away, "b": away}).status_code == 200


def test_a_node_alone_can_be_taken_out(lab: ControlLab) -> None:
    add(lab, "alone")
    assert set_by_form(lab, {"alone": {"status": "offline"}}).status_code == 200
    lab.put("/v1/nodes/alone/status", {"status": "online"})
    lab.put("/v1/nodegroups/default", {"min_online": 1})
    assert set_by_form(lab, {"alone": {"status": "offline"}}).status_code == 409


def test_removal_clears_the_mark(lab: ControlLab) -> None:
    add(lab, "a", "b")
    set_by_form(lab, {"a": {"status": "offline"}})
    lab.delete("/v1/nodes/a")
    assert probe(lab, "a")[0] == 404
    add(lab, "a")
    assert probe(lab, "a") == (200, "OK")


def test_a_mark_expires(lab: ControlLab) -> None:
    add(lab, "a", "b")
    lab.put("/v1/nodes/a/status", {"status": "offline", "expires_in": 1, "reason": "short work"})
    shown = lab.get("/v1/nodes/a")["node"]
    assert shown["expires_at"] > shown["since"]
    assert probe(lab, "a")[0] == 503
    lab.wait(lambda: probe(lab, "a")[0] == 200, "the end of the mark")
    shown = lab.get("/v1/nodes/a")["node"]
    assert (shown["author"], shown["expires_at"]) == ("manager", None)
    event = lab.get("/v1/events", kind="node.online", actor="manager")["events"][-1]
    assert event["reason"] == "'a': its mark has expired"


def test_nodes_are_made_and_changed(lab: ControlLab) -> None:
    lab.post("/v1/nodes", {"name": "a", "group": "web", "address": "[::FFFF:10.0.0.1]", "port": 80})
    shown = lab.get("/v1/nodes/a")["node"]
    assert (shown["address"], shown["port"], shown["group"]) == ("10.0.0.1", 80, "web")
    assert shown["sessions"]["total"] == 0
    lab.post("/v1/nodes", {"name": "a"}, 409)
    for body in (
        {"name": "a b"},
        {"name": ""},
        {"name": "a\n"},
        {"name": "x" * 129},
        {"name": "b", "group": "++rest++"},
        {"name": "b", "address": "0.0.0.0"},
        {"name": "b", "address": "a b"},
        {"name": "b", "port": 80},
        {"name": "b", "address": "10.0.0.1", "port": 0},
        {"name": "b", "status": "offline"},
    ):
        lab.post("/v1/nodes", body, 400)
    lab.put("/v1/nodes/a", {"address": "Host.Example"})
    lab.put("/v1/nodes/a", {"address": ""}, 400)  # it has a port
    lab.put("/v1/nodes/a", {"group": "nowhere"}, 404)
    assert lab.get("/v1/nodes/a")["node"]["address"] == "host.example"
    lab.put("/v1/nodes/nowhere", {"address": ""}, 404)
    lab.delete("/v1/nodes/nowhere", 404)
    lab.put("/v1/nodes/nowhere/status", {"status": "online"}, 404)
    assert lab.client.delete("/v1/nodegroups/web").status_code == 409
