"""An offline node, seen from its load balancers and web clusters: a whole controller, workers without a proxy."""

from collections.abc import Iterator
from typing import Any

import pytest

from libra.cmd.controlling import Controller
from tests.support.control import LBAAS, ControlLab, Json, control_lab
from tests.support.ports import wait_until

ADDRESS = "10.0.0.1"  # of the members that `ControlLab.create` makes


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    with control_lab(tmp_path_factory.mktemp("draining")) as lab:
        lab.worker("web1")
        yield lab


@pytest.fixture
def node(lab: ControlLab) -> Iterator[str]:
    lab.post("/v1/nodes", {"name": "node1", "address": ADDRESS})
    lab.post("/v1/nodes", {"name": "spare"})
    yield "node1"
    for name in ("node1", "spare"):
        lab.client.delete(f"/v1/nodes/{name}")


@pytest.fixture(autouse=True)
def nothing_left(lab: ControlLab) -> Iterator[None]:
    yield
    for item in lab.get(f"{LBAAS}/loadbalancers")["loadbalancers"]:
        lab.delete(f"{LBAAS}/loadbalancers/{item['id']}?cascade=true")
    lab.wait(lambda: not lab.get(f"{LBAAS}/loadbalancers")["loadbalancers"], "an empty device")


def mark(lab: ControlLab, name: str, status: str) -> None:
    lab.put(f"/v1/nodes/{name}/status", {"status": status})


def conditions(lab: ControlLab, name: str) -> set[str]:
    """Of the members at that node, as the devices have them."""
    members = lab.get(f"/v1/nodes/{name}")["node"]["sessions"]["members"]
    return {member["status"] for member in members}


def member_of(lab: ControlLab, created: Json) -> Json:
    (pool,) = created["pools"]
    (member,) = pool["members"]
    path = f"{LBAAS}/pools/{pool['id']}/members/{member['id']}"
    shown: Json = lab.get(path)["member"]
    return shown


def test_members_drain_and_come_back(lab: ControlLab, node: str) -> None:
    created = lab.create("drained", listeners=listeners(8101))
    lab.wait(lambda: conditions(lab, node) == {"no check"}, "the member")
    before = lab.get("/v1/devices/web1")["device"]
    mark(lab, node, "offline")
    lab.wait(lambda: conditions(lab, node) == {"DRAIN"}, "draining")
    lab.wait(lambda: member_of(lab, created)["operating_status"] == "DRAINING", "its status")
    shown = member_of(lab, created)
    assert (shown["weight"], shown["admin_state_up"]) == (1, True)  # as its owner wants it
    assert lab.show(created["id"])["provisioning_status"] == "ACTIVE"
    told = lab.get(f"/v1/nodes/{node}")["node"]["sessions"]
    assert (told["total"], told["drained"], told["takes_traffic"], told["silent"]) == (
        0,
        True,
        False,
        [],
    )
    assert [(item["device"], item["address"]) for item in told["members"]] == [("web1", ADDRESS)]
    jobs = lab.get("/v1/jobs", device="web1", action="UPDATE", sort="created_at:desc", limit="1")[
        "jobs"
    ]
    assert (jobs[0]["priority"], jobs[0]["requested_by"]) == ("high", "admin")
    lab.put(f"{LBAAS}/loadbalancers/{created['id']}", {"loadbalancer": {"name": "x"}})
    lab.wait_active(created["id"])  # a change of somebody else's carries it on
    assert conditions(lab, node) == {"DRAIN"}
    no_drift(lab, before)
    mark(lab, node, "online")
    lab.wait(lambda: conditions(lab, node) == {"no check"}, "traffic")
    assert lab.get(f"/v1/nodes/{node}")["node"]["sessions"]["takes_traffic"] is True


def listeners(port: int, **member: Any) -> list[Json]:
    given = {"address": ADDRESS, "protocol_port": 80, **member}
    pool: Json = {
        "name": "p",
        "protocol": "HTTP",
        "lb_algorithm": "ROUND_ROBIN",
        "members": [given],
    }
    return [{"protocol": "HTTP", "protocol_port": port, "default_pool": pool}]


def no_drift(lab: ControlLab, device: Json) -> None:
    """What the device runs is what it shall: else the prober would tell it again and again."""
    assert lab.get("/v1/events", kind="device.drift", subject_id=device["id"])["events"] == []


def test_new_members_at_an_offline_node_drain_at_once(lab: ControlLab, node: str) -> None:
    mark(lab, node, "offline")
    created = lab.create("new", listeners=listeners(8102))
    assert conditions(lab, node) == {"DRAIN"}
    lab.delete(f"/v1/nodes/{node}")  # and its mark is gone with it
    lab.wait(lambda: member_of(lab, created)["operating_status"] == "NO_MONITOR", "its status")


def test_only_the_port_that_the_node_has(lab: ControlLab, node: str) -> None:
    lab.put(f"/v1/nodes/{node}", {"port": 81})
    created = lab.create("other port", listeners=listeners(8103))
    mark(lab, node, "offline")
    assert conditions(lab, node) == set()
    lab.put(f"/v1/nodes/{node}", {"port": 80})
    lab.wait(lambda: conditions(lab, node) == {"DRAIN"}, "draining")
    lab.put(f"/v1/nodes/{node}", {"address": "10.0.0.2"})
    lab.wait(lambda: member_of(lab, created)["operating_status"] == "NO_MONITOR", "its status")


def test_one_that_is_switched_off_stays_so(lab: ControlLab, node: str) -> None:
    lab.create("off", listeners=listeners(8104, admin_state_up=False))
    mark(lab, node, "offline")
    lab.wait(lambda: conditions(lab, node) == {"MAINT"}, "maintenance")


def test_web_clusters_drain_it_too(lab: ControlLab, node: str) -> None:
    cluster = lab.post("/v1/webclusters", {"name": "shop", "tcp_port": 8199})["webcluster"]["oid"]
    lab.post(f"/v1/webclusters/{cluster}/nodes", {"node": "web1"})
    proxied = {"path": "/", "type": "reverseproxy", "host": ADDRESS, "port": 80}
    lab.post(f"/v1/webclusters/{cluster}/services", proxied)
    lab.post(f"/v1/webclusters/{cluster}/start", {}, 200)
    lab.wait(lambda: conditions(lab, node) == {"no check"}, "the service's member")
    mark(lab, node, "offline")
    lab.wait(lambda: conditions(lab, node) == {"DRAIN"}, "draining")
    mark(lab, node, "online")
    lab.wait(lambda: conditions(lab, node) == {"no check"}, "traffic")


def test_what_another_controller_stores_is_seen_within_a_second(lab: ControlLab, node: str) -> None:
    settings = lab.settings.model_copy(
        update={"controller": lab.settings.controller.model_copy(update={"function": "second"})}
    )
    second = Controller(settings, api_port=0)
    second.start()
    try:
        other = lab.client_with(None)
        other.base_url = f"http://127.0.0.1:{second.api.port}"  # type: ignore[assignment]
        ask = {"node": node}
        assert other.get("/health", params=ask).status_code == 200
        mark(lab, node, "offline")
        wait_until(
            lambda: other.get("/health", params=ask).status_code == 503, timeout=1, what="the mark"
        )
    finally:
        second.stop()


def test_the_mark_is_there_right_after_a_restart(lab: ControlLab, node: str) -> None:
    mark(lab, node, "offline")
    lab.stop_controller()
    lab.start_controller()
    lab.client = lab.client_with(lab.secret)
    assert lab.client_with(None).get("/health?node=node1").status_code == 503
