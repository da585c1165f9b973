"""L7 policies and rules through the API: stored, numbered, counted, sent to devices, given back."""

from collections.abc import Iterator
from typing import Any

import pytest

from libra.model.access import Role
from tests.support.control import LBAAS, ControlLab, ThreadWorker
from tests.support.storages import lay_out

POLICIES = f"{LBAAS}/l7policies"
RULE = {"type": "PATH", "compare_type": "STARTS_WITH", "value": "/a"}
POOL = {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
REJECT = {"action": "REJECT"}
URL = {"action": "REDIRECT_TO_URL", "redirect_url": "https://elsewhere.example/"}
Json = dict[str, Any]


class Lab(ControlLab):
    """With one device."""

    device: ThreadWorker


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    directory = tmp_path_factory.mktemp("policies")
    lab = Lab(directory, lay_out(directory))
    lab.device = lab.worker()
    yield lab
    lab.close()


class Shop:
    """A load balancer with a listener and two pools; every change has come live when its method returns."""

    def __init__(self, lab: Lab, **fields: Any) -> None:
        self.lab = lab
        listener = {"protocol": "HTTP", "protocol_port": 80, **fields}
        pools = [{**POOL, "name": "api"}, {**POOL, "name": "web"}]
        made = lab.create("shop", listeners=[listener], pools=pools)
        self.key, self.listener = made["id"], made["listeners"][0]["id"]
        self.pools = {item["name"]: item["id"] for item in made["pools"]}
        self.created = made["listeners"][0]

    def policy(self, **fields: Any) -> Json:
        body = {"listener_id": self.listener, **fields}
        made: Json = self.lab.post(POLICIES, {"l7policy": body})["l7policy"]
        self.lab.wait_active(self.key)
        return made

    def change(self, key: str, status: int = 200, **fields: Any) -> Json:
        answer: Json = self.lab.put(f"{POLICIES}/{key}", {"l7policy": fields}, status)
        self.lab.wait_active(self.key)
        return answer

    def rule(self, policy: str, **fields: Any) -> Json:
        made: Json = self.lab.post(f"{POLICIES}/{policy}/rules", {"rule": {**RULE, **fields}})[
            "rule"
        ]
        self.lab.wait_active(self.key)
        return made

    def delete(self, path: str) -> None:
        self.lab.delete(path)
        self.lab.wait(lambda: self.lab.client.get(path).status_code == 404, "it to go")
        self.lab.wait_active(self.key)

    def places(self) -> list[tuple[str, int]]:
        found = self.lab.get(POLICIES, listener_id=self.listener, sort="position")["l7policies"]
        return [(item["name"], item["position"]) for item in found]

    def close(self) -> None:
        path = f"{LBAAS}/loadbalancers/{self.key}"
        self.lab.delete(f"{path}?cascade=true")
        self.lab.wait(lambda: self.lab.client.get(path).status_code == 404, "the end")


@pytest.fixture
def shop(lab: Lab) -> Iterator[Shop]:
    shop = Shop(lab)
    yield shop
    shop.close()


def told(lab: Lab, shop: Shop) -> list[Json]:
    """The policies in the last message to the device."""
    (owner,) = [one for one in lab.device.updates()[-1]["loadbalancers"] if one["id"] == shop.key]
    policies: list[Json] = owner["listeners"][0].get("policies", [])
    return policies


def test_a_policy_and_its_rules_live(lab: Lab, shop: Shop) -> None:
    made = shop.policy(name="go", description="d", tags=["t"], **URL)
    assert (made["redirect_http_code"], made["position"]) == (302, 1)
    assert (made["provisioning_status"], made["operating_status"]) == ("PENDING_CREATE", "OFFLINE")
    assert (made["listener_id"], made["rules"]) == (shop.listener, [])
    assert told(lab, shop) == []  # without a rule it fits nothing
    rule = shop.rule(made["id"], invert=True)
    assert "name" not in rule
    assert (rule["tenant_id"], rule["key"]) == (rule["project_id"], None)
    shown = lab.get(f"{POLICIES}/{made['id']}")["l7policy"]
    assert (shown["provisioning_status"], shown["operating_status"]) == ("ACTIVE", "ONLINE")
    assert (shown["rules"], shown["updated_at"] is None) == ([{"id": rule["id"]}], False)
    (sent,) = told(lab, shop)
    assert (sent["url"], sent["code"]) == ("https://elsewhere.example/", 302)
    assert [item["invert"] for item in sent["rules"]] == [True]
    listener = lab.get(f"{LBAAS}/listeners/{shop.listener}")["listener"]
    assert listener["l7policies"] == [{"id": made["id"]}]
    path = f"{POLICIES}/{made['id']}/rules/{rule['id']}"
    changed = {
        "type": "HEADER",
        "key": "X-A",
        "value": "b",
        "compare_type": "EQUAL_TO",
        "invert": None,
    }
    assert lab.put(path, {"rule": changed})["rule"]["invert"] is False
    lab.wait_active(shop.key)
    assert told(lab, shop)[0]["rules"] == [
        {"type": "HEADER", "compare_type": "EQUAL_TO", "key": "X-A", "value": "b"}
    ]
    lab.put(path, {"rule": {"admin_state_up": False}})
    lab.wait_active(shop.key)
    assert told(lab, shop) == []
    assert lab.get(path)["rule"]["operating_status"] == "OFFLINE"
    shop.delete(path)
    shop.delete(f"{POLICIES}/{made['id']}")


def test_a_new_target_says_the_action(shop: Shop) -> None:
    """Where the client says none, as in Octavia."""
    key = shop.policy(name="turns", **REJECT)["id"]
    shown = shop.change(key, redirect_pool_id=shop.pools["api"])["l7policy"]
    assert (shown["action"], shown["redirect_http_code"]) == ("REDIRECT_TO_POOL", None)
    shown = shop.change(key, redirect_url="https://a.example/")["l7policy"]
    assert (shown["action"], shown["redirect_pool_id"]) == ("REDIRECT_TO_URL", None)
    shown = shop.change(key, redirect_prefix="https://b.example/")["l7policy"]
    assert (shown["action"], shown["redirect_url"]) == ("REDIRECT_PREFIX", None)
    shop.change(key, 400, redirect_url="https://a/", redirect_pool_id=shop.pools["api"])
    shop.change(key, 400, action="REJECT", redirect_url="https://a.example/")
    shown = shop.change(key, redirect_http_code=307)["l7policy"]
    assert (shown["action"], shown["redirect_http_code"]) == ("REDIRECT_PREFIX", 307)


def test_positions_are_without_gaps(shop: Shop) -> None:
    a, b, c = (shop.policy(name=name, **REJECT)["id"] for name in "abc")
    d = shop.policy(name="d", position=1, **REJECT)
    assert d["position"] == 1
    assert shop.policy(name="e", position=77, **REJECT)["position"] == 5
    assert shop.places() == [("d", 1), ("a", 2), ("b", 3), ("c", 4), ("e", 5)]
    assert shop.change(c, position=2)["l7policy"]["position"] == 2
    assert shop.places() == [("d", 1), ("c", 2), ("a", 3), ("b", 4), ("e", 5)]
    shop.change(d["id"], position=None)
    shop.delete(f"{POLICIES}/{a}")
    assert shop.places() == [("c", 1), ("b", 2), ("e", 3), ("d", 4)]
    assert b in [item["id"] for item in shop.lab.get(POLICIES, position=2)["l7policies"]]


def test_the_action_decides_what_else_there_is(lab: Lab, shop: Shop) -> None:
    policy = shop.policy(action="REDIRECT_TO_POOL", redirect_pool_id=shop.pools["api"])
    key = policy["id"]
    assert policy["redirect_http_code"] is None
    api = f"{LBAAS}/pools/{shop.pools['api']}"
    assert shop.pools["api"] in lab.client.delete(api).json()["faultstring"]
    lab.delete(api, 409)
    prefix = {
        "action": "REDIRECT_PREFIX",
        "redirect_prefix": "http://x.example",
        "redirect_http_code": 307,
    }
    changed = shop.change(key, redirect_pool_id="", **prefix)["l7policy"]
    assert (changed["redirect_pool_id"], changed["redirect_http_code"]) == (None, 307)
    shop.delete(api)
    changed = shop.change(key, action="REJECT")["l7policy"]
    assert (changed["redirect_prefix"], changed["redirect_http_code"]) == (None, None)


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({}, 400, "action"),
        ({"action": "REDIRECT_TO_URL"}, 400, "requires redirect_url"),
        ({"action": "REDIRECT_TO_POOL"}, 400, "requires redirect_pool_id"),
        ({"action": "REDIRECT_TO_POOL", "redirect_pool_id": "nobody"}, 404, "Pool nobody not found"),
        ({"action": "REJECT", "redirect_url": "http://x/"}, 400, "redirect_url does not go with"),
        ({"action": "REJECT", "redirect_http_code": 301}, 400, "redirect_http_code does not go with"),
        ({**URL, "redirect_http_code": 304}, 400, "redirect_http_code"),
        ({**URL, "redirect_url": "javascript:alert(1)"}, 400, "redirect_url"),
        ({**URL, "redirect_url": "http://a\r\nhttp-request deny"}, 400, "redirect_url"),
        ({"action": "REJECT", "position": 0}, 400, "position"),
        ({"action": "REJECT", "colour": 1}, 400, "Unknown attribute"),
        ({"action": "REJECT", "listener_id": "nobody"}, 404, "Listener nobody not found"),
        ({"action": "REJECT", "rules": [{**RULE, "value": "a\nb"}]}, 400, "value"),
        ({"action": "REJECT", "rules": [{**RULE, "compare_type": "REGEX", "value": "("}]}, 400, "regular"),
        ({"action": "REJECT", "rules": [{**RULE, "key": "x"}]}, 400, "key does not go with PATH"),
        ({"action": "REJECT", "rules": [{**RULE, "type": "COOKIE"}]}, 400, "key is required"),
        ({"action": "REJECT", "rules": [{**RULE, "type": "FILE_TYPE"}]}, 400, "compare_type"),
    ],
)  # fmt: skip
def test_what_is_refused_changes_nothing(
    lab: Lab, refusing: Shop, fields: Json, status: int, words: str
) -> None:
    body = {"l7policy": {"listener_id": refusing.listener, **fields}}
    assert words in lab.post(POLICIES, body, status)["faultstring"]
    assert refusing.places() == []
    assert lab.show(refusing.key)["provisioning_status"] == "ACTIVE"


@pytest.fixture(scope="module")
def refusing(lab: Lab) -> Iterator[Shop]:
    shop = Shop(lab)
    yield shop
    shop.close()


def test_other_listeners_have_none(lab: Lab) -> None:
    shop = Shop(lab, protocol="TCP")
    body = {"l7policy": {"listener_id": shop.listener, **REJECT}}
    assert "do not go with a listener of TCP" in lab.post(POLICIES, body, 400)["faultstring"]
    shop.close()


def test_rules_have_a_limit(lab: Lab, shop: Shop) -> None:
    key = shop.policy(rules=[RULE] * 50, **REJECT)["id"]
    lab.post(f"{POLICIES}/{key}/rules", {"rule": RULE}, 409)
    assert (
        lab.get(f"{POLICIES}/{key}/rules/nobody", 404)["faultstring"] == "L7Rule nobody not found."
    )
    assert lab.get(f"{POLICIES}/nobody", 404)["faultstring"] == "L7Policy nobody not found."


def test_all_at_once_counted_and_given_back(lab: Lab) -> None:
    """With everything in one request: either all of it is there, or nothing of it is."""
    pool = {**POOL, "name": "api", "members": [{"address": "10.0.0.9", "protocol_port": 80}]}
    to_pool = {"action": "REDIRECT_TO_POOL", "redirect_pool": pool, "rules": [RULE, RULE]}
    again = {"action": "REDIRECT_TO_POOL", "redirect_pool": {"name": "api"}, "position": 1}
    listener = {"protocol": "HTTP", "protocol_port": 80, "l7policies": [to_pool, again, REJECT]}
    project, quotas = "counted", f"{LBAAS}/quotas/counted"
    given = {"vip_subnet_id": "default", "project_id": project, "listeners": [listener]}
    for limits, words in (({"l7policy": 2}, "L7Policy"), ({"l7policy": 3, "l7rule": 1}, "L7Rule")):
        lab.put(quotas, {"quota": limits}, 202)
        fault = lab.post(f"{LBAAS}/loadbalancers", {"loadbalancer": given}, 403)["faultstring"]
        assert f"Quota has been met for resources: {words}" in fault
        assert lab.get(f"{LBAAS}/loadbalancers", project_id=project)["loadbalancers"] == []
        assert lab.get(f"{LBAAS}/pools", project_id=project)["pools"] == []
    lab.put(quotas, {"quota": {"l7rule": 2}}, 202)
    made = lab.post(f"{LBAAS}/loadbalancers", {"loadbalancer": given})["loadbalancer"]
    (shown,) = made["listeners"]
    assert [item["position"] for item in shown["l7policies"]] == [1, 2, 3]
    assert [len(item["rules"]) for item in shown["l7policies"]] == [0, 2, 0]
    (named,) = {item["redirect_pool_id"] for item in shown["l7policies"][:2]}
    assert named == made["pools"][0]["id"]
    lab.wait_active(made["id"])
    tree = lab.get(f"{LBAAS}/loadbalancers/{made['id']}/status")["statuses"]["loadbalancer"]
    assert [item["name"] for item in tree["listeners"][0]["pools"]] == ["api"]
    assert [len(item["rules"]) for item in tree["listeners"][0]["l7policies"]] == [2, 0, 0]
    first = shown["l7policies"][1]
    lab.post(f"{POLICIES}/{first['id']}/rules", {"rule": RULE}, 403)
    lab.delete(f"{POLICIES}/{first['id']}")
    lab.wait(lambda: lab.client.get(f"{POLICIES}/{first['id']}").status_code == 404, "it to go")
    lab.wait_active(made["id"])
    body = {"l7policy": {"listener_id": shown["id"], "rules": [RULE, RULE], **REJECT}}
    lab.post(POLICIES, body)
    lab.wait_active(made["id"])
    path = f"{LBAAS}/loadbalancers/{made['id']}"
    lab.delete(f"{path}?cascade=true")
    lab.wait(lambda: lab.client.get(path).status_code == 404, "the end")
    assert lab.get(POLICIES, project_id=project)["l7policies"] == []


def test_a_listener_goes_with_its_policies(lab: Lab, shop: Shop) -> None:
    key = shop.policy(rules=[RULE], **REJECT)["id"]
    shop.delete(f"{LBAAS}/listeners/{shop.listener}")
    assert lab.client.get(f"{POLICIES}/{key}").status_code == 404


def test_filters_pages_and_projects(lab: Lab, shop: Shop) -> None:
    keys = [
        shop.policy(name=f"n{n}", tags=[f"t{n}"], rules=[RULE], **REJECT)["id"] for n in range(3)
    ]
    (found,) = lab.get(POLICIES, tags="t1")["l7policies"]
    assert found["name"] == "n1"
    page = lab.get(
        POLICIES, listener_id=shop.listener, limit=2, sort="position:desc", fields="name"
    )
    assert page["l7policies"] == [{"name": "n2"}, {"name": "n1"}]
    following = lab.get(page["l7policies_links"][0]["href"])
    assert [item["name"] for item in following["l7policies"]] == ["n0"]
    rule = lab.get(f"{POLICIES}/{keys[0]}")["l7policy"]["rules"][0]["id"]
    assert [item["id"] for item in lab.get(POLICIES, rules=rule)["l7policies"]] == [keys[0]]
    rules = f"{POLICIES}/{keys[0]}/rules"
    assert [item["id"] for item in lab.get(rules, value="/a", type="PATH", id=rule)["rules"]] == [
        rule
    ]
    assert lab.get(rules, name="x")["rules"] == []  # what clients ask that look for a rule by name
    lab.get(POLICIES, 400, colour="red")
    lab.get("/v2/l7policies")
    member = lab.token(Role.MEMBER, "stranger")
    assert member.get(f"{POLICIES}/{keys[0]}").status_code == 403
    assert member.get(rules).status_code == 403
    assert member.get(POLICIES).json()["l7policies"] == []
    assert member.delete(f"{POLICIES}/{keys[0]}").status_code == 403


def test_a_listener_comes_with_its_pool_and_policies(lab: Lab, shop: Shop) -> None:
    """Or not at all."""
    pool = {**POOL, "name": "own", "members": [{"address": "10.0.0.7", "protocol_port": 80}]}
    policies: list[Json] = [
        {**REJECT, "rules": [RULE]},
        {"action": "REDIRECT_TO_POOL", "redirect_pool": {"name": "own"}},
    ]
    body = {
        "loadbalancer_id": shop.key,
        "protocol": "HTTP",
        "protocol_port": 81,
        "default_pool": pool,
    }
    for wrong in ({"name": "other"}, {**POOL, "name": "own", "protocol": "TCP"}):
        given = {**body, "l7policies": [{"action": "REDIRECT_TO_POOL", "redirect_pool": wrong}]}
        lab.post(f"{LBAAS}/listeners", {"listener": given}, 400)
    made = lab.post(f"{LBAAS}/listeners", {"listener": {**body, "l7policies": policies}})[
        "listener"
    ]
    lab.wait_active(shop.key)
    assert len(made["l7policies"]) == 2
    (found,) = lab.get(f"{LBAAS}/pools", name="own")["pools"]
    assert (found["id"], len(found["members"])) == (made["default_pool_id"], 1)
