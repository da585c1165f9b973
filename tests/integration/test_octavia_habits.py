"""What Octavia's own API test-suite and its clients look at, beyond the fields themselves."""

from collections.abc import Iterator
from typing import Any

import pytest

from libra.worker.controller import LBaaSController
from tests.support.control import LBAAS, ControlLab, control_lab

BALANCERS = f"{LBAAS}/loadbalancers"
LISTENER = {"protocol": "HTTP", "protocol_port": 80}
POOL = {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
MONITOR = {"type": "HTTP", "delay": 5, "timeout": 3, "max_retries": 3}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    with control_lab(tmp_path_factory.mktemp("habits")) as lab:
        lab.worker()
        yield lab


def refusal(lab: ControlLab, **fields: Any) -> str:
    given = {"vip_subnet_id": "default", **fields}
    fault = lab.post(BALANCERS, {"loadbalancer": given}, 400)
    assert (fault["faultcode"], fault["debuginfo"]) == ("Client", None)
    return str(fault["faultstring"])


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "pools/{pool}/members", {"member": {"address": "10.9.9.9", "protocol_port": 80}}),
        ("PUT", "pools/{pool}/members/{member}", {"member": {"weight": 7}}),
        ("DELETE", "pools/{pool}/members/{member}", None),
        ("PUT", "pools/{pool}/members", {"members": []}),
        ("PUT", "healthmonitors/{monitor}", {"healthmonitor": {"delay": 9}}),
        ("DELETE", "healthmonitors/{monitor}", None),
        ("PUT", "pools/{pool}", {"pool": {"name": "q"}}),
    ],
)
def test_what_a_change_touches_is_pending(
    tmp_path_factory: pytest.TempPathFactory, method: str, path: str, body: object
) -> None:
    with control_lab(tmp_path_factory.mktemp("pending")) as lab:
        worker = lab.worker()
        pool = {**POOL, "name": "p", "healthmonitor": MONITOR}
        pool["members"] = [{"address": "10.0.0.1", "protocol_port": 80}]  # type: ignore[assignment]
        made = lab.create(listeners=[{**LISTENER, "default_pool": pool}])
        keys = {"pool": made["pools"][0]["id"], "member": made["pools"][0]["members"][0]["id"]}
        keys["monitor"] = made["pools"][0]["healthmonitor"]["id"]
        worker.mute = True
        lab.client.request(method, f"{LBAAS}/{path.format(**keys)}", json=body).raise_for_status()
        listener = lab.get(f"{LBAAS}/listeners/{made['listeners'][0]['id']}")["listener"]
        shown = lab.get(f"{LBAAS}/pools/{keys['pool']}")["pool"]
        statuses = [item["provisioning_status"] for item in (listener, shown)]
        assert statuses == ["PENDING_UPDATE", "PENDING_UPDATE"]


def test_parts_are_listed_in_the_order_of_the_request(lab: ControlLab) -> None:
    members = [{"address": f"10.0.1.{n}", "protocol_port": 80} for n in range(1, 10)]
    pools = [{**POOL, "name": f"p{n}", "members": members} for n in range(5)]
    listeners = [{**LISTENER, "protocol_port": 90 - n} for n in range(9)]
    made = lab.create("ordered", listeners=listeners, pools=pools)
    own = {item["id"] for item in made["listeners"]}
    for shown in (made["listeners"], lab.get(f"{LBAAS}/listeners?sort=created_at")["listeners"]):
        ports = [item["protocol_port"] for item in shown if item["id"] in own]
        assert ports == [90 - n for n in range(9)]
    assert [pool["name"] for pool in made["pools"]] == [f"p{n}" for n in range(5)]
    addresses = [item["address"] for item in made["pools"][2]["members"]]
    assert addresses == [item["address"] for item in members]
    lab.delete(f"{BALANCERS}/{made['id']}?cascade=true")
    lab.wait(lambda: lab.client.get(f"{BALANCERS}/{made['id']}").status_code == 404, "it to go")


@pytest.mark.parametrize("name", ["octavia", "amphora", "libra"])
def test_a_client_is_told_the_provider_that_it_named(lab: ControlLab, name: str) -> None:
    """Terraform makes a load balancer anew where it is told another."""
    made = lab.create(name, provider=name, listeners=[])
    assert lab.show(made["id"])["provider"] == name
    for kind in ("flavor_capabilities", "availability_zone_capabilities"):
        assert lab.get(f"{LBAAS}/providers/{name}/{kind}") == {kind: [], f"{kind}_links": []}
    lab.get(f"{LBAAS}/providers/other/flavor_capabilities", 400)
    named = lab.get(f"{LBAAS}/providers", fields="name")["providers"]
    assert {"name": name} in named


def test_filters_by_what_is_the_same_for_all(lab: ControlLab) -> None:
    lab.create("alike", listeners=[], pools=[{**POOL, "name": "alike"}])
    for plural, name, hit in (
        ("loadbalancers", "flavor_id", "null"),
        ("loadbalancers", "availability_zone", "None"),
        ("loadbalancers", "vip_vnic_type", "normal"),
        ("pools", "tls_enabled", "False"),
        ("pools", "ca_tls_container_ref", "null"),
    ):
        named = {"name": "alike"}
        assert len(lab.get(f"{LBAAS}/{plural}", **named, **{name: hit})[plural]) == 1, name
        assert lab.get(f"{LBAAS}/{plural}", **named, **{name: "True"})[plural] == [], name


NO_FILTERS = ("tenant_id", "tags", "operating_status")
"""The first is refused by Octavia, too; tags have filters of their own; the last changes meanwhile."""


def as_filter(value: Any) -> str | None:
    """A value of an answer as a query string has it; None for one without items, which nothing finds."""
    if value in ([], {}):
        return None
    if isinstance(value, list):
        return as_filter(value[0])
    if isinstance(value, dict):
        return str(value.get("id") or value.get("type") or next(iter(value)))
    return "null" if value is None else str(value)


def rich_one(lab: ControlLab, name: str, octet: int) -> None:
    """With something in whatever may be filtered by, and a part of everything, but for what is left null."""
    member = {"name": name, "address": f"10.7.0.{octet}", "protocol_port": 80, "weight": octet}
    pool = {**POOL, "name": name, "members": [member]}
    pool["healthmonitor"] = {**MONITOR, "name": name}
    pool["session_persistence"] = {"type": "APP_COOKIE", "cookie_name": "HTTP_COOKIE"}
    plain = {**POOL, "name": f"{name}-plain"}
    listener = {**LISTENER, "name": name, "allowed_cidrs": ["10.0.0.0/8", "127.0.0.0/8"]}
    listener["insert_headers"] = {"X-Forwarded-For": "true", "X-Forwarded-Port": "true"}
    rule = {"type": "HEADER", "key": name, "compare_type": "CONTAINS", "value": name}
    policy = {"name": name, "action": "REDIRECT_TO_URL", "redirect_url": f"http://{name}/"}
    other = {**policy, "redirect_http_code": 308, "redirect_url": "http://b/", "name": f"{name}-b"}
    listener["l7policies"] = [{**policy, "rules": [rule, {**rule, "invert": True}]}, other]
    open_one = {**LISTENER, "protocol_port": 81, "name": f"{name}-open"}
    lab.create(name, listeners=[{**listener, "default_pool": pool}, open_one], pools=[plain])


def test_every_attribute_of_an_answer_is_a_filter(lab: ControlLab) -> None:
    rich_one(lab, "rich", 1)
    rich_one(lab, "other", 2)
    (owner,) = lab.get(f"{LBAAS}/pools", name="rich")["pools"]
    kinds = ("loadbalancers", "listeners", "pools", "healthmonitors", "l7policies")
    paths = {kind: f"{LBAAS}/{kind}" for kind in kinds}
    paths["members"] = f"{LBAAS}/pools/{owner['id']}/members"
    (policy,) = lab.get(f"{LBAAS}/l7policies", name="rich")["l7policies"]
    paths["rules"] = f"{LBAAS}/l7policies/{policy['id']}/rules"
    for kind, path in paths.items():
        for shown in lab.get(path)[kind]:
            if not shown.get("name", "rich").startswith("rich"):
                continue
            for name in set(shown) - set(NO_FILTERS):
                text = as_filter(shown[name])
                found = lab.get(path, **{name: "x" if text is None else text})[kind]
                hit = shown["id"] in [item["id"] for item in found]
                assert hit is (text is not None), (kind, name, text)
                for item in found:  # and nothing that shows something else
                    values = item[name] if isinstance(item[name], list) else [item[name]]
                    assert text in map(as_filter, values or [None]), (kind, name, item[name])


@pytest.mark.parametrize(
    ("path", "name", "text"),
    [
        ("loadbalancers", "listeners", "nothing"),
        ("loadbalancers", "pools", "null"),
        ("pools", "healthmonitor_id", "nothing"),
        ("pools", "members", "null"),
        ("pools", "session_persistence", "HTTP_COOKIE"),
        ("pools", "session_persistence", "colour"),
        ("listeners", "allowed_cidrs", "10.0.0.0"),
        ("listeners", "l7policies", "null"),
        ("healthmonitors", "url_path", "null"),
        ("healthmonitors", "http_method", "POST"),
    ],
)
def test_filters_that_find_nothing(lab: ControlLab, path: str, name: str, text: str) -> None:
    assert lab.get(f"{LBAAS}/{path}", **{name: text})[path] == []


def test_what_only_checks_by_http_have_is_null_of_others(lab: ControlLab) -> None:
    pool = {**POOL, "name": "tcp", "healthmonitor": {**MONITOR, "type": "TCP", "name": "tcp"}}
    lab.create("tcp", listeners=[], pools=[pool])
    path, kind = f"{LBAAS}/healthmonitors", "healthmonitors"
    named = {"name": "tcp"}
    assert len(lab.get(path, url_path="null", **named)[kind]) == 1
    assert len(lab.get(path, url_path="null", type="TCP", **named)[kind]) == 1
    assert lab.get(path, url_path="null", type="HTTP", **named)[kind] == []
    assert lab.get(path, url_path="/", **named)[kind] == []
    assert lab.get(path, type="TCP", expected_codes="200", **named)[kind] == []


def test_faults_name_the_attribute_as_clients_know_it(lab: ControlLab) -> None:
    told = "Invalid input for field/attribute "
    assert f"{told}name:" in refusal(lab, name="x" * 256)
    assert f"{told}listeners.0.allowed_cidrs.0: it must be a network" in refusal(
        lab, listeners=[{**LISTENER, "allowed_cidrs": ["10.0.0.0/33"]}]
    )
    assert "Unknown attribute for argument: 'colour'" in refusal(lab, colour="red")
    assert told in lab.put(f"{LBAAS}/pools/none/members", {"members": [{}]}, 400)["faultstring"]


def test_subnet_and_network_are_of_one_address_pool(lab: ControlLab) -> None:
    (network,) = lab.get("/v2.0/networks")["networks"]
    lab.create("both", vip_network_id=network["id"], listeners=[])
    assert "not found" in refusal(lab, vip_network_id="other")


def test_a_port_that_is_named_is_not_passed_over(lab: ControlLab) -> None:
    port = "8b6a0b7e-9b7c-4a3e-8c59-3b2f5d0c9a11"
    assert refusal(lab, vip_port_id=port).startswith(f"Port {port} not found")
    assert refusal(lab, vip_port_id=port, vip_subnet_id=None).startswith(f"Port {port} not found")
    lab.create("without", vip_port_id=None, listeners=[])


@pytest.mark.parametrize("field", ["address", "monitor_address"])
def test_the_metadata_service_is_no_member(lab: ControlLab, field: str) -> None:
    for address in ("169.254.169.254", "::ffff:169.254.169.254", "FD00:EC2:0::254"):
        member = {"address": "10.0.0.1", "protocol_port": 80, field: address}
        pool = {**POOL, "name": "p", "members": [member]}
        assert f"pools.0.members.0.{field}" in refusal(lab, pools=[pool])


def test_an_answer_from_before_a_change_says_nothing_about_it(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listener that is switched on is closed until its device has heard of it: that is no error."""
    with control_lab(tmp_path_factory.mktemp("before"), job_deadline_seconds=2) as lab:
        worker = lab.worker()
        made = lab.create(listeners=[{**LISTENER, "admin_state_up": False}])
        path = f"{LBAAS}/listeners/{made['listeners'][0]['id']}"
        looked: list[str] = []

        def handle(message: dict[str, Any]) -> dict[str, Any]:
            reply = LBaaSController.handle(worker.controller, message)
            if message["hpcs_action"] == "STATS":
                worker.mute = True  # it does not hear of the change any more
                lab.put(path, {"listener": {"admin_state_up": True}})
                looked.append(last_seen(lab))
            return reply

        monkeypatch.setattr(worker.controller, "handle", handle)
        lab.wait(lambda: looked and last_seen(lab) != looked[0], "the answer to be taken in")
        assert lab.get(path)["listener"]["operating_status"] == "OFFLINE"
        worker.mute = False
        monkeypatch.undo()
        lab.wait(lambda: lab.get(path)["listener"]["operating_status"] == "ONLINE", "it to serve")


def last_seen(lab: ControlLab) -> str:
    return str(lab.get("/v1/devices/web1")["device"]["last_seen"])


def test_a_member_is_shown_as_it_was_spelled(lab: ControlLab) -> None:
    """Terraform makes a member anew whose address is not the text that it gave."""
    made = lab.create("spelled", listeners=[], pools=[{**POOL, "name": "p"}])
    path = f"{LBAAS}/pools/{made['pools'][0]['id']}/members"
    spelled = {"address": "2001:DB8:0:0:0:0:0:1", "monitor_address": "2001:db8:0::2"}
    given = {**spelled, "protocol_port": 80}
    member = lab.post(path, {"member": given})["member"]
    assert {name: member[name] for name in spelled} == spelled
    lab.wait_active(made["id"])
    for text in (spelled["address"], "2001:db8::1"):
        assert [item["id"] for item in lab.get(path, address=text)["members"]] == [member["id"]]
        lab.post(path, {"member": {**given, "address": text}}, 409)
    lab.put(path, {"members": [given]}, 202)
    assert lab.show(made["id"])["provisioning_status"] == "ACTIVE"
    lab.put(f"{path}/{member['id']}", {"member": {"monitor_address": "2001:db8::2"}})
    lab.wait_active(made["id"])
    assert lab.get(f"{path}/{member['id']}")["member"]["monitor_address"] == "2001:db8::2"
    assert set(member) == set(lab.get(path)["members"][0])
    lab.get(path, 400, address_as_given="x")


def test_unknown_paths_and_methods_say_it_in_both_ways(lab: ControlLab) -> None:
    for method, path, code, title in (
        ("GET", f"{LBAAS}/colours", 404, "Not Found"),
        ("PATCH", BALANCERS, 405, "Method Not Allowed"),
    ):
        fault = lab.client.request(method, path).json()
        assert (fault["code"], fault["title"], fault["faultcode"]) == (code, title, "Client")
        assert fault["description"] == fault["faultstring"]


JSON = {"Accept": "application/json"}  # as those clients send it; others get a line of text


def test_the_version_tells_what_there_is(lab: ControlLab) -> None:
    for path in ("/", "/load-balancer", "/v2.0", "/v2/lbaas"):
        versions = lab.client_with(None).get(path, headers=JSON).json()["versions"]
        ours = [item for item in versions if item.get("id", "").startswith("v2.")]
        assert [item["id"] for item in ours if item["status"] == "CURRENT"] == ["v2.27"]
        assert ours[0]["id"] == "v2.0"


def test_terraform_looks_up_the_subnet_and_the_port(lab: ControlLab) -> None:
    """Its provider compares ids with what it gave, and reads of the port which security groups it has."""
    (subnet,) = lab.get("/load-balancer/v2.0/subnets", name="default")["subnets"]
    assert lab.get(f"/load-balancer/v2.0/subnets/{subnet['id']}")["subnet"] == subnet
    network = lab.get(f"/v2/networks/{subnet['network_id']}")["network"]
    assert network["subnets"] == [subnet["id"]]
    lab.get("/v2.0/subnets/nothing", 404)
    lab.get("/v2.0/networks/nothing", 404)
    made = lab.create("formed", vip_subnet_id=subnet["id"], listeners=[])
    assert made["vip_subnet_id"] == subnet["id"]
    port = lab.get(f"/load-balancer/v2.0/ports/{made['vip_port_id']}")["port"]
    assert (port["id"], port["security_groups"]) == (made["vip_port_id"], [])
    where = {"subnet_id": subnet["id"], "ip_address": made["vip_address"]}
    assert port["fixed_ips"] == [where]
    lab.get("/load-balancer/v2.0/ports/nothing", 404)
    lab.delete(f"{LBAAS}/loadbalancers/{made['id']}")


def test_what_ties_clients_changes_in_part(lab: ControlLab) -> None:
    """`openstack loadbalancer pool set --session-persistence cookie_name=b` sends nothing else."""
    tied = {"type": "APP_COOKIE", "cookie_name": "a", "persistence_timeout": 5}
    made = lab.create("tied", listeners=[], pools=[{**POOL, "session_persistence": tied}])
    path = f"{LBAAS}/pools/{made['pools'][0]['id']}"

    def change(given: dict[str, Any]) -> dict[str, Any]:
        told = lab.put(path, {"pool": {"session_persistence": given}})["pool"]
        lab.wait_active(made["id"])
        found: dict[str, Any] = told["session_persistence"]
        return {name: found[name] for name in tied}

    assert change({"cookie_name": "b"}) == {**tied, "cookie_name": "b"}
    assert change({"persistence_timeout": None}) == {
        **tied,
        "cookie_name": "b",
        "persistence_timeout": None,
    }
    lab.put(path, {"pool": {"session_persistence": {"cookie_name": None}}}, 400)
    other = {"type": "SOURCE_IP", "cookie_name": None, "persistence_timeout": None}
    assert change({"type": "SOURCE_IP"}) == other
    lab.put(path, {"pool": {"session_persistence": {"cookie_name": "b"}}}, 400)
    lab.put(path, {"pool": {"session_persistence": None}})
    lab.wait_active(made["id"])
    lab.put(path, {"pool": {"session_persistence": {"persistence_timeout": 5}}}, 400)


def test_a_reference_is_taken_away_by_an_empty_text(lab: ControlLab) -> None:
    """So does Terraform."""
    made = lab.create("emptied", pools=[{**POOL, "name": "p"}], listeners=[LISTENER])
    nothing = {
        "default_tls_container_ref": "",
        "client_ca_tls_container_ref": "",
        "tls_ciphers": "",
    }
    listener = f"{LBAAS}/listeners/{made['listeners'][0]['id']}"
    shown = lab.put(listener, {"listener": nothing})["listener"]
    assert {shown[name] for name in nothing} == {None}
    lab.wait_active(made["id"])
    pool = f"{LBAAS}/pools/{made['pools'][0]['id']}"
    shown = lab.put(pool, {"pool": {"ca_tls_container_ref": "", "tls_ciphers": ""}})["pool"]
    assert (shown["ca_tls_container_ref"], shown["tls_ciphers"]) == (None, None)
    lab.wait_active(made["id"])


def test_headers_are_shown_as_they_were_spelled(lab: ControlLab) -> None:
    headers = {"X-Forwarded-For": "True", "X-Forwarded-Port": "false", "X-Forwarded-Proto": "TRUE"}
    made = lab.create("headed", listeners=[{**LISTENER, "insert_headers": headers}])
    assert made["listeners"][0]["insert_headers"] == headers
    path = f"{LBAAS}/listeners/{made['listeners'][0]['id']}"
    shown = lab.put(path, {"listener": {"insert_headers": {"X-Forwarded-For": True}}})["listener"]
    assert shown["insert_headers"] == {"X-Forwarded-For": "true"}
    lab.wait_active(made["id"])


def test_many_members_are_as_new_in_what_is_not_said_of_them(lab: ControlLab) -> None:
    """As in Octavia: how it serves; but for its name and its tags, which stay."""
    target = {"address": "10.8.0.1", "protocol_port": 80}
    kept = {"name": "m", "tags": ["t"]}
    odd = {"weight": 0, "backup": True, "admin_state_up": False, "monitor_port": 81}
    odd["monitor_address"] = "2001:DB8:0::2"
    made = lab.create(
        "many", listeners=[], pools=[{**POOL, "members": [{**target, **kept, **odd}]}]
    )
    path = f"{LBAAS}/pools/{made['pools'][0]['id']}/members"
    lab.put(path, {"members": [{**target, **odd}]}, 202)
    assert lab.show(made["id"])["provisioning_status"] == "ACTIVE"  # it was so before
    lab.put(f"{path}?additive_only=true", {"members": [target]}, 202)
    lab.wait_active(made["id"])
    (member,) = lab.get(path)["members"]
    assert {name: member[name] for name in kept} == kept
    assert [member[name] for name in odd] == [1, False, True, None, None]


def test_a_body_that_is_no_object_is_told_what_it_must_be(lab: ControlLab) -> None:
    made = lab.create("bodies", listeners=[])
    path = f"{BALANCERS}/{made['id']}"
    whole = b'{"loadbalancer": {"description": "d"}}'
    form = {"Content-Type": "application/x-www-form-urlencoded"}  # as curl says by itself
    json = {"Content-Type": "application/json"}
    for content, headers in ((whole, form), (whole, {}), (b"[]", json), (b"null", json), (b"", {})):
        told = lab.client.put(path, content=content, headers=headers)
        assert told.status_code == 400
        assert "a JSON object, and its Content-Type application/json" in told.json()["faultstring"]
    assert lab.client.put(path, content=whole, headers=json).status_code == 200
    lab.wait_active(made["id"])
