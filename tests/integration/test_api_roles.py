"""Every operation of /openapi.json with every role: who may, who may not, and that a new one is not forgotten here."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from libra.api.routers.around import BASES
from libra.model.access import Role
from tests.support.access import ALLOWED, OPERATIONS, Access
from tests.support.certificates import Authority
from tests.support.control import LBAAS, ControlLab, control_lab

MEMORY = {"store": "memory", "auth_url": "http://127.0.0.1:1/v1", "user": "a:b", "key": "c"}
OWN, OTHER = "project-of-theirs", "another-project"
METHODS = ("get", "post", "put", "patch", "delete")
"""In the order in which those who may do it do: what is there to be read and changed goes last."""
REFUSED = (401, 403)
RULE = {"type": "PATH", "compare_type": "EQUAL_TO", "value": "/a"}


@dataclass(frozen=True, slots=True)
class World:
    """Somebody's load balancer with everything, and one client a role."""

    lab: ControlLab
    keys: dict[str, str]
    bodies: dict[str, Any]
    clients: dict[str, httpx.Client]
    document: dict[str, Any]

    def ask(self, who: str, method: str, path: str, base: str = BASES[0]) -> httpx.Response:
        """With a good body, where the operation has one."""
        operation = self.document["paths"][path][method]
        content = operation.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {}).get("$ref")
        body = self.bodies[schema.rpartition("/")[2]] if schema else None
        url = path.format_map(self.keys).replace(BASES[0], base, 1)
        if url.endswith("/stream"):
            return peek(self.clients[who], f"{url}?since=0")
        return self.clients[who].request(method, url, json=body)


def peek(client: httpx.Client, url: str) -> httpx.Response:
    """What a stream that never ends says until it is silent."""
    text = ""
    with (
        client.stream("GET", url, timeout=httpx.Timeout(20.0, read=1.0)) as answer,
        suppress(httpx.ReadTimeout),
    ):
        for piece in answer.iter_text():
            text += piece
    return httpx.Response(answer.status_code, text=text)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("roles")
    with control_lab(directory) as lab:
        lab.worker()
        pem = build_pem(directory)
        keys = build_keys(lab, pem)
        clients = {
            "nobody": lab.client_with(None),
            "reader": lab.token(Role.READER, OWN),
            "member": lab.token(Role.MEMBER, OWN),
            "other": lab.token(Role.MEMBER, OTHER),
            "observer": lab.token(Role.READER),
            "deployer": lab.token(Role.DEPLOYER),
            "operator": lab.token(Role.OPERATOR),
            "admin": lab.client,
        }
        yield World(lab, keys, build_bodies(lab, keys, pem), clients, lab.get("/openapi.json"))


def build_pem(directory: Path) -> dict[str, str]:
    issued = Authority(directory).issue("a.example")
    return {"certificate": issued.cert.read_text(), "key": issued.key.read_text()}


def build_keys(lab: ControlLab, pem: dict[str, str]) -> dict[str, str]:
    """What stands in paths: a new name there is to be filled in here."""
    pool: dict[str, Any] = {"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
    pool["healthmonitor"] = {"type": "TCP", "delay": 5, "timeout": 3, "max_retries": 3}
    pool["members"] = [{"address": "10.0.0.1", "protocol_port": 80}]
    listener = {"protocol": "HTTP", "protocol_port": 80, "default_pool": pool}
    made = lab.create(project_id=OWN, listeners=[listener])
    (stored,) = made["pools"]
    policy = {"listener_id": made["listeners"][0]["id"], "action": "REJECT"}
    policy = lab.post(f"{LBAAS}/l7policies", {"l7policy": policy})["l7policy"]
    lab.wait_active(made["id"])
    rules = f"{LBAAS}/l7policies/{policy['id']}/rules"
    rule = lab.post(rules, {"rule": RULE})["rule"]
    lab.wait_active(made["id"])
    lab.put(f"{LBAAS}/quotas/{OWN}", {"quota": {"listener": 50}}, 202)
    certificate = lab.post("/v1/certificates", {**pem, "project_id": OWN})["certificate"]
    lab.put(f"/v1/objectstores/{OWN}", MEMORY, 201)
    cluster = lab.post("/v1/webclusters", {"name": "shop", "project_id": OWN})["webcluster"]["oid"]
    lab.post(f"/v1/webclusters/{cluster}/nodes", {"node": "web1"})
    service = {"path": "/", "type": "nodeinfo"}
    service = lab.post(f"/v1/webclusters/{cluster}/services", service)["service"]
    node = lab.post("/v1/nodes", {"name": "node1", "group": "web"})["node"]["name"]
    lab.post("/v1/nodes", {"name": "node9", "group": "web"})
    rollout = lab.post("/v1/rollouts", {"group": "web", "holder": "me"})["rollout"]["id"]
    return {
        "rollout_id": rollout,
        "loadbalancer_id": made["id"],
        "subnet_id": made["vip_subnet_id"],
        "network_id": made["vip_network_id"],
        "port_id": made["vip_port_id"],
        "listener_id": made["listeners"][0]["id"],
        "pool_id": stored["id"],
        "policy_id": policy["id"],
        "rule_id": rule["id"],
        "member_id": stored["members"][0]["id"],
        "monitor_id": stored["healthmonitor"]["id"],
        "certificate_id": certificate["id"],
        "job_id": lab.get("/v1/jobs", load_balancer=made["id"])["jobs"][0]["id"],
        "token_id": lab.post("/v1/tokens", {"name": "spare", "role": "reader"})["token"]["id"],
        "project_id": OWN,
        "user": OWN,
        "provider": "libra",
        "device_id": "web1",
        "amphora_id": lab.get("/v1/devices/web1")["device"]["id"],
        "order": "hold",
        "webcluster_id": cluster,
        "node_id": "web1",
        "service_id": service["oid"],
        "action": "stop",
        "cloud": "default",
        "vm": "web1",
        "cluster": "default",
        "job": "none",
        "kind": "boot",
        "node": node,
        "group": "web",
    }


def build_bodies(lab: ControlLab, keys: dict[str, str], pem: dict[str, str]) -> dict[str, Any]:
    """Good ones, by the name of their schema: a new one is to be added here."""
    monitor = {"type": "TCP", "delay": 5, "timeout": 3, "max_retries": 3}
    login = {"name": "admin", "password": lab.secret}
    balancer = {"vip_subnet_id": "default", "project_id": OWN}
    listener = {"protocol": "HTTP", "protocol_port": 81, "loadbalancer_id": keys["loadbalancer_id"]}
    pool = {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
    member = {"address": "10.0.0.2", "protocol_port": 80}
    store = {"object_store_endpoint": "http://127.0.0.1:1/v1", "object_store_basepath": "logs"}
    return {
        "LoadBalancerCreate": {"loadbalancer": balancer},
        "LoadBalancerChange": {"loadbalancer": {"name": "changed"}},
        "ListenerCreate": {"listener": listener},
        "ListenerChange": {"listener": {"name": "changed"}},
        "PoolCreate": {"pool": {**pool, "loadbalancer_id": keys["loadbalancer_id"]}},
        "PoolChange": {"pool": {"name": "changed"}},
        "MemberCreate": {"member": member},
        "MemberChange": {"member": {"name": "changed"}},
        "MembersBatch": {"members": [member]},
        "MonitorCreate": {"healthmonitor": {**monitor, "pool_id": keys["pool_id"]}},
        "MonitorChange": {"healthmonitor": {"name": "changed"}},
        "PolicyCreate": {"l7policy": {"listener_id": keys["listener_id"], "action": "REJECT"}},
        "PolicyChange": {"l7policy": {"name": "changed"}},
        "RuleCreate": {"rule": RULE},
        "RuleChange": {"rule": {"invert": True}},
        "QuotaChange": {"quota": {"listener": 60}},
        "LoginBody": {"auth": {"identity": {"methods": ["password"], "password": {"user": login}}}},
        "DeviceBody": {"name": "web2", "address": "127.0.0.2"},
        "DevicePoolBody": {"name": "edge"},
        "DevicePoolChange": {"min_spare": 1},
        "TokenBody": {"name": "new", "role": "reader"},
        "LogsBody": {**store, "auth_token": "swift-token"},
        "ObjectStoreBody": MEMORY,
        "CertificateBody": {**pem, "project_id": OWN},
        "MaterialBody": pem,
        "WebClusterBody": {"name": "blog", "project_id": OWN},
        "WebClusterChange": {"label": "changed"},
        "WebNodeBody": {"node": "web1"},
        "WebNodeChange": {"parallel": 2},
        "WebServiceBody": {"path": "/info", "type": "nodeinfo"},
        "WebServiceChange": {"label": "changed"},
        "NodeBody": {"name": "node2"},
        "NodeChange": {"address": "10.0.0.3"},
        "NodeStatusBody": {"status": "offline"},
        "NodesStatusBody": {"status": "offline", "names": [keys["node"]]},
        "NodeGroupBody": {"name": "edge"},
        "NodeGroupChange": {"min_online": 0},
        "RolloutBody": {"group": "web", "holder": "me"},
        "RolloutResume": {"holder": "me"},
        "LeaseBody": {"lease": 1},
        "StepBody": {"lease": 1, "node": keys["node"], "phase": "draining"},
        "EndBody": {"lease": 1, "state": "stopped"},
        "AbortBody": {"restore": True},
    }


def operations() -> list[tuple[str, str, Access]]:
    found = [(m, path, access) for path, ways in OPERATIONS.items() for m, access in ways.items()]
    return sorted(found, key=lambda item: METHODS.index(item[0]))


def test_every_operation_says_who_may_call_it(world: World) -> None:
    paths = world.document["paths"]
    assert {(method, path) for path, ways in paths.items() for method in ways} == {
        (method, path) for method, path, _ in operations()
    }


@pytest.mark.parametrize("base", BASES)
def test_who_may_not(world: World, base: str) -> None:
    before = whole_of(world)
    wrong = []
    for method, path, access in operations():
        for who in sorted(set(world.clients) - ALLOWED[access]):
            answer = world.ask(who, method, path, base)
            if answer.status_code != (401 if who == "nobody" else 403) or OWN in answer.text:
                wrong.append(f"{who}: {method} {path}: {answer.status_code} {answer.text[:200]}")
    assert wrong == []
    assert whole_of(world) == before


def whole_of(world: World) -> list[object]:
    """All that could have been changed; not what is measured."""
    paths = [path for method, path, _ in operations() if method == "get" and "{" in path]
    shown = [world.ask("admin", "get", path).text for path in paths if "v1/devices" not in path]
    names = (
        "/v1/tokens",
        "/v1/certificates",
        "/v1/webclusters",
        "/v1/devices",
        f"{LBAAS}/loadbalancers",
    )
    counts = [len(next(iter(world.lab.get(name).values()))) for name in names]
    passing = re.compile(r'"(operating_status|at)":"[^"]+"|"led":(true|false)')  # by itself
    return [*(passing.sub("", text) for text in shown), *counts]


def test_lists_tell_of_the_callers_project_only(world: World) -> None:
    told = [value for name, value in world.keys.items() if name.endswith("_id")]
    for method, path, access in operations():
        if access is not Access.LIST:
            continue
        for who, wanted in (("reader", True), ("member", True), ("other", False)):
            text = world.ask(who, method, path).text
            assert any(value in text for value in told) is wanted, (who, path, text)


def test_who_may(world: World) -> None:
    """Last: what is deleted is gone for those who come after, who are not refused for that."""
    wrong = []
    for method, path, access in operations():
        for who in sorted(ALLOWED[access]):
            answer = world.ask(who, method, path)
            if answer.status_code in REFUSED or answer.status_code >= 500:
                wrong.append(f"{who}: {method} {path}: {answer.status_code} {answer.text[:200]}")
    assert wrong == []
