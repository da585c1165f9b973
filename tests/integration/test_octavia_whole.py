"""Load balancers and pools that are made by one request with everything below them: names, quotas, all or nothing."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.control import LBAAS, ControlLab, control_lab

BALANCERS = f"{LBAAS}/loadbalancers"
LISTENER = {"protocol": "HTTP", "protocol_port": 80}
POOL = {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
MONITOR = {"type": "HTTP", "delay": 5, "timeout": 3, "max_retries": 3}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    """Without any device."""
    with control_lab(tmp_path_factory.mktemp("whole")) as lab:
        yield lab


def refusal(lab: ControlLab, **fields: Any) -> str:
    given = {"name": "refused", "vip_subnet_id": "default", "provider": "noop", **fields}
    return str(lab.post(BALANCERS, {"loadbalancer": given}, 400)["faultstring"])


def test_a_pool_to_which_no_listener_sends_needs_no_name(lab: ControlLab) -> None:
    member = {"address": "10.0.0.1", "protocol_port": 80}
    for name in ({}, {"name": ""}, {"name": None}):
        plain = {**POOL, **name, "members": [member], "healthmonitor": MONITOR}
        front = {**LISTENER, "default_pool": {**POOL, "name": "p"}}
        made = lab.create("nameless", provider="noop", listeners=[front], pools=[plain])
        pools = {item["name"]: item for item in made["pools"]}
        assert set(pools) == {"", "p"}
        assert [len(pools[""]["members"]), len(pools["p"]["members"])] == [1, 0]
        assert pools[""]["healthmonitor"]["type"] == "HTTP"
        assert made["listeners"][0]["default_pool_id"] == pools["p"]["id"]
        lab.delete(f"{BALANCERS}/{made['id']}?cascade=true")


def test_pools_of_a_request_are_told_apart_by_name(lab: ControlLab) -> None:
    assert "unique: two have none" in refusal(lab, pools=[POOL, POOL])
    named = {**POOL, "name": "x"}
    assert "unique: two are 'x'" in refusal(lab, pools=[named, named])
    sends = {"action": "REDIRECT_TO_POOL", "redirect_pool": POOL}
    for holder in ({"default_pool": POOL}, {"default_pool": {"name": ""}}, {"l7policies": [sends]}):
        told = refusal(lab, listeners=[{**LISTENER, **holder}], pools=[POOL])
        assert "Pools must be named" in told, holder
    front = {**LISTENER, "default_pool": {"name": "x"}}
    assert "Pool 'x' is not in the request" in refusal(lab, listeners=[front])
    assert "Pool 'x' needs protocol and lb_algorithm" in refusal(lab, pools=[{"name": "x"}])
    assert lab.get(BALANCERS, name="refused")["loadbalancers"] == []


def test_a_pool_is_made_with_its_members_and_its_monitor(lab: ControlLab) -> None:
    """All of it or nothing, and quotas count all of it."""
    made = lab.create("full", provider="noop", project_id="full", listeners=[LISTENER])
    members = [{"address": f"10.0.0.{n}", "protocol_port": 80} for n in range(3)]
    full = {**POOL, "members": members, "healthmonitor": MONITOR}
    path, own = f"{LBAAS}/pools", {"loadbalancer_id": made["id"]}
    twice = {**full, "members": [members[0], members[0]]}
    lab.post(path, {"pool": {**twice, **own}}, 409)
    quota = f"{LBAAS}/quotas/full"
    for limit in ({"member": 2}, {"health_monitor": 0}, {"pool": 0}):
        lab.put(quota, {"quota": limit}, 202)
        lab.post(path, {"pool": {**full, **own}}, 403)
        lab.delete(quota, 202)
    assert lab.get(path, project_id="full")["pools"] == []
    assert lab.show(made["id"])["provisioning_status"] == "ACTIVE"
    listener = made["listeners"][0]["id"]
    pool = lab.post(path, {"pool": {**full, "listener_id": listener}})["pool"]
    lab.wait_active(made["id"])
    shown = lab.get(f"{path}/{pool['id']}")["pool"]
    assert (shown["members"], shown["healthmonitor_id"]) == (
        pool["members"],
        pool["healthmonitor_id"],
    )
    rows = lab.get(f"{path}/{pool['id']}/members")["members"]
    assert [item["address"] for item in rows] == [item["address"] for item in members]
    assert {item["provisioning_status"] for item in rows} == {"ACTIVE"}
    monitor = lab.get(f"{LBAAS}/healthmonitors/{shown['healthmonitor_id']}")["healthmonitor"]
    assert monitor["pools"] == [{"id": pool["id"]}]
    assert shown["listeners"] == [{"id": listener}]


def test_a_listener_is_made_with_policies_that_send_to_pools_that_are_there(
    lab: ControlLab,
) -> None:
    """By their id or by their name; one of the request comes before one of the same name."""
    pools = [{**POOL, "name": name} for name in ("a", "b")]
    made = lab.create("sending", provider="noop", listeners=[], pools=pools)
    keys = {item["name"]: item["id"] for item in made["pools"]}
    rules = [{"type": "PATH", "compare_type": "STARTS_WITH", "value": "/a"}]
    sends = {"action": "REDIRECT_TO_POOL", "rules": rules}
    policies: list[dict[str, Any]] = [
        {**sends, "redirect_pool_id": keys["a"]},
        {**sends, "redirect_pool": {"name": "b"}},
        {**sends, "redirect_pool": {**POOL, "name": "c"}},
    ]
    front = {**LISTENER, "default_pool": {"name": "b"}, "l7policies": policies}
    own = {"loadbalancer_id": made["id"]}
    listener = lab.post(f"{LBAAS}/listeners", {"listener": {**front, **own}})["listener"]
    assert listener["default_pool_id"] == keys["b"]
    lab.wait_active(made["id"])
    rows = lab.get(f"{LBAAS}/l7policies", listener_id=listener["id"])["l7policies"]
    targets = [item["redirect_pool_id"] for item in rows]
    assert (targets[:2], len(set(targets))) == ([keys["a"], keys["b"]], 3)
    fresh = {**LISTENER, "protocol_port": 81, "default_pool": {**POOL, "name": "b"}}
    second = lab.post(f"{LBAAS}/listeners", {"listener": {**fresh, **own}})["listener"]
    assert second["default_pool_id"] not in keys.values()
    lab.wait_active(made["id"])

    def told(status: int, **fields: Any) -> str:
        body = {"listener": {**LISTENER, "protocol_port": 82, **own, **fields}}
        return str(lab.post(f"{LBAAS}/listeners", body, status)["faultstring"])

    assert "has 2 that are 'b'" in told(400, default_pool={"name": "b"})
    assert "has none of that name" in told(400, default_pool={"name": "d"})
    assert "both given" in told(400, default_pool={"name": "a"}, default_pool_id=keys["a"])
    twofold = {**policies[1], "redirect_pool_id": keys["a"]}
    assert "both given" in told(400, l7policies=[twofold])
    elsewhere = lab.create("elsewhere", provider="noop", listeners=[], pools=[pools[0]])
    odd = {**sends, "redirect_pool_id": elsewhere["pools"][0]["id"]}
    assert "not found" in told(404, l7policies=[odd])
    assert len(lab.get(f"{LBAAS}/listeners", loadbalancer_id=made["id"])["listeners"]) == 2
    assert lab.show(made["id"])["provisioning_status"] == "ACTIVE"


@pytest.mark.parametrize("zone", ["default", "nowhere"])
def test_records_alone_have_availability_zones_that_there_are(lab: ControlLab, zone: str) -> None:
    if zone == "nowhere":
        assert "availability zone 'nowhere'" in refusal(lab, availability_zone=zone)
    else:
        made = lab.create(zone, provider="noop", listeners=[], availability_zone=zone)
        assert made["availability_zone"] == zone
