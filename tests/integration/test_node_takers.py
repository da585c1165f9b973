"""A mark that would leave a pool without a member that takes traffic: a whole controller, a worker without a proxy."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from libra.model.status import OperatingStatus
from libra.rollout.leading import Led, RolloutApi
from libra.storage.query import Query
from tests.support.control import LBAAS, ControlLab, Json, control_lab
from tests.support.rollouts import Leader, api_of, options

NODES = {"node1": "10.0.0.1", "node2": "10.0.0.2"}
LAST = "no member that takes traffic would be left"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    with control_lab(tmp_path_factory.mktemp("takers")) as lab:
        lab.worker("web1")
        for name, address in NODES.items():  # a group each: no group is left without a node
            lab.post("/v1/nodes", {"name": name, "group": name, "address": address})
        yield lab


@pytest.fixture
def pool(lab: ControlLab) -> Iterator[Json]:
    """Of two members."""
    members = [{"address": address, "protocol_port": 80} for address in NODES.values()]
    body = {"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "members": members}
    listener = {"protocol": "HTTP", "protocol_port": 8301, "default_pool": body}
    created = lab.create("shared", listeners=[listener])
    yield created["pools"][0]
    for name in NODES:
        mark(lab, name, "online")
    lab.delete(f"{LBAAS}/loadbalancers/{created['id']}?cascade=true")
    lab.wait(lambda: not lab.get(f"{LBAAS}/loadbalancers")["loadbalancers"], "an empty device")


def mark(lab: ControlLab, name: str, status: str, code: int = 200, **more: object) -> str:
    body = {"status": status, **more}
    answer = lab.client.put(f"/v1/nodes/{name}/status", json=body)
    assert answer.status_code == code, answer.text
    return answer.text


def emptied(lab: ControlLab) -> list[str]:
    return [item["reason"] for item in lab.get("/v1/events", kind="pool.emptied")["events"]]


def test_the_last_taker_stays_unless_one_insists(lab: ControlLab, pool: Json) -> None:
    mark(lab, "node1", "offline")
    words = mark(lab, "node2", "offline", 409)
    assert LAST in words
    assert f"the pool 'p' ({pool['id']})" in words
    both = {"names": list(NODES), "status": "offline"}
    mark(lab, "node1", "online")
    assert lab.client.post("/v1/nodes/status", json=both).status_code == 409
    assert [node["status"] for node in lab.get("/v1/nodes")["nodes"]] == ["online", "online"]
    told = len(emptied(lab))
    done = lab.post("/v1/nodes/status", {**both, "force": True}, 200)["nodes"]
    assert [node["status"] for node in done] == ["offline", "offline"]
    assert "no member takes traffic any more" in emptied(lab)[told]


def test_the_seeds_method_marks_it_and_says_so(lab: ControlLab, pool: Json) -> None:
    """As it always did."""
    told = len(emptied(lab))
    change = {name: {"status": "offline"} for name in NODES}
    assert lab.post("/health/++rest++setstatus", change, 200) == {"status": "OK"}
    assert pool["id"] in emptied(lab)[told]


def test_one_that_is_switched_off_is_no_taker(lab: ControlLab, pool: Json) -> None:
    found = lab.get(f"{LBAAS}/pools/{pool['id']}/members")["members"]
    other = next(item["id"] for item in found if item["address"] == NODES["node2"])
    path = f"{LBAAS}/pools/{pool['id']}/members/{other}"
    lab.put(path, {"member": {"admin_state_up": False}})
    mark(lab, "node1", "offline")  # its owner has left it alone


def test_what_is_down_by_the_records_is_asked(lab: ControlLab, pool: Json) -> None:
    """It came back a moment ago: the worker says so, the records do not yet."""
    with lab.controller.services.storage.writing() as unit:
        where = {"pool_id": pool["id"], "address": NODES["node2"]}
        (member,) = unit.members.find(Query(where=where))
        unit.members.replace(replace(member, operating_status=OperatingStatus.ERROR))
    mark(lab, "node1", "offline")


def test_web_clusters_have_pools_too(lab: ControlLab) -> None:
    cluster = lab.post("/v1/webclusters", {"name": "shop", "tcp_port": 8399})["webcluster"]["oid"]
    lab.post(f"/v1/webclusters/{cluster}/nodes", {"node": "web1"})
    members = [{"address": address, "port": 80} for address in NODES.values()]
    service = {"path": "/", "type": "reverseproxy", "members": members}
    lab.post(f"/v1/webclusters/{cluster}/services", service)
    mark(lab, "node1", "offline")
    mark(lab, "node2", "offline")  # it is stopped: nobody loses anything
    for name in NODES:
        mark(lab, name, "online")
    lab.post(f"/v1/webclusters/{cluster}/start", {}, 200)
    mark(lab, "node1", "offline")
    assert "'shop' below '/'" in mark(lab, "node2", "offline", 409)
    mark(lab, "node1", "online")
    lab.post(f"/v1/webclusters/{cluster}/stop", {}, 200)


def test_a_rollout_waits_for_the_other(lab: ControlLab, pool: Json) -> None:
    """Two groups of one pool, of which somebody has taken one out."""
    mark(lab, "node1", "offline")
    with api_of(lab) as api:
        leader = Leader(api, _begin(api, capacity_timeout=30.0)).start()
        lab.wait(lambda: _phase(lab) == "draining", "the wish to take it")
        mark(lab, "node1", "online")
        led = leader.wait()
    assert [step.phase.value for step in led.steps] == ["done"]


def test_a_rollout_gives_up_in_the_end(lab: ControlLab, pool: Json) -> None:
    mark(lab, "node1", "offline")
    with api_of(lab) as api:
        led = Leader(api, _begin(api, capacity_timeout=0.1)).start().wait()
        assert LAST in led.reason
        assert lab.get("/v1/nodes/node2")["node"]["status"] == "online"
        lab.post(f"/v1/rollouts/{led.id}/abort", {}, 200)


def _begin(api: RolloutApi, **given: float) -> Led:
    return api.begin("node2", (), options(min_online="0", **given))


def _phase(lab: ControlLab) -> str:
    phase: str = lab.get("/v1/rollouts/node2")["rollout"]["nodes"][0]["phase"]
    return phase
