"""Orders at the root of the REST API, of a real controller: forms and queries, comments, maps, hostile words."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from libra.config.controller import AdminSettings
from libra.model.access import Role
from tests.support.control import LBAAS, ControlLab, control_lab
from tests.support.orders import Json, ask, device, events, order, ordered_lab, pool

WEB1, WEB2 = "/clouds/default/vms/web1", "/clouds/default/vms/web2"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    with ordered_lab(tmp_path_factory.mktemp("orders")) as lab:
        yield lab


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    """One that wants a comment of everybody."""
    directory = tmp_path_factory.mktemp("strict")
    with control_lab(directory, admin=AdminSettings(require_comment=True)) as lab:
        yield lab


def reset(lab: ControlLab) -> None:
    order(lab, "PUT", "/clouds/default/vms", params={"action": "reset_override_state"})
    for name in ("web1", "web2"):
        lab.wait(lambda name=name: device(lab, name)["state"] == "SPARE", name)


# Pools.


@pytest.mark.parametrize("way", ["params", "data"])
def test_a_cloud_is_switched_by_query_or_form(lab: ControlLab, way: str) -> None:
    answer = ask(lab, "PUT", "/clouds/core", **{way: {"action": "disable"}})  # type: ignore[arg-type]
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == "the device pool 'core' is disabled: nothing new comes there\n"
    assert pool(lab, "core")["disabled"] is True
    key = pool(lab, "core")["id"]
    shown = order(lab, "PUT", f"/clouds/{key}", **{way: {"action": "enable"}})
    assert shown == {"cloud": "core", "id": key, "enabled": True}
    assert pool(lab, "core")["disabled"] is False


def test_a_name_may_be_encoded_in_any_way(lab: ControlLab) -> None:
    for spelling in ("a.b", "a%2Eb", "%61%2e%62"):
        assert order(lab, "PUT", f"/clouds/{spelling}?action=enable")["cloud"] == "a.b"


def test_allocations(lab: ControlLab) -> None:
    answer = ask(lab, "PUT", "/clouds/core?allocations=3")
    assert answer.text == (
        "the device pool 'core' may have 3 devices; before, as many devices as there are\n"
    )
    assert pool(lab, "core")["max_devices"] == 3
    shown = order(lab, "PUT", "/clouds/core", data={"allocations": "none"})
    assert (shown["allocations"], shown["before"], shown["drained"]) == (None, 3, [])
    shown = order(lab, "PUT", "/clouds/default?allocations=1")
    assert [item["name"] for item in shown["drained"]] == ["web1"]  # the older one
    lab.wait(lambda: device(lab, "web1")["state"] == "RETIRED", "its end")
    assert device(lab, "web2")["state"] == "SPARE"
    order(lab, "PUT", "/clouds/default?allocations=none")
    reset(lab)


def test_pools_by_our_own_api(lab: ControlLab) -> None:
    changed = lab.put("/v1/device-pools/core", {"max_devices": 4, "priority": -2})["device_pool"]
    assert (changed["max_devices"], changed["priority"]) == (4, -2)
    for wrong in ({"max_devices": -1}, {"priority": 1.5}, {"priority": True}, {"max_devices": "x"}):
        lab.put("/v1/device-pools/core", wrong, 400)
    assert pool(lab, "core")["max_devices"] == 4
    lab.put("/v1/device-pools/core", {"max_devices": None, "priority": 0})


# Devices.


def test_one_is_retired_and_used_again(lab: ControlLab) -> None:
    for method in ("POST", "PUT"):
        answer = ask(lab, method, WEB2, data={"action": "force_retire"})
        assert answer.text.startswith("device 'web2' is retired: it gets nothing new")
        lab.wait(lambda: device(lab, "web2")["state"] == "RETIRED", "its end")
        assert ask(lab, method, WEB2, data={"action": "force_retire"}).status_code == 200
        shown = order(lab, "PUT", f"{WEB2}?action=reset_override_state")
        assert (shown["name"], shown["state"], shown["accepted"]) == ("web2", "BUILDING", True)
        lab.wait(lambda: device(lab, "web2")["state"] == "SPARE", "it to be used again")


def test_the_first_ones_of_a_cloud(lab: ControlLab) -> None:
    for method in ("POST", "PUT"):
        shown = order(lab, method, "/clouds/default/vms?action=force_retire&count=1")
        assert [item["name"] for item in shown["vms"]] == ["web1"]
        assert device(lab, "web2")["state"] == "SPARE"
        answer = ask(lab, method, "/clouds/default/vms?action=force_retire&count=99")
        assert len(answer.text.splitlines()) == 2
        reset(lab)


def test_a_shutdown_where_nobody_destroys_hosts_leaves_the_worker_alone(lab: ControlLab) -> None:
    made = lab.create("moves")
    shown = order(lab, "PUT", "/clouds/default/vms?action=shutdown&count=1")
    assert "its worker is left alone" in shown["vms"][0]["told"]
    lab.wait(lambda: device(lab, "web1")["state"] == "RETIRED", "its end")
    lab.wait(lambda: device(lab, "web2")["loadbalancers"] == 1, "the failover")
    lab.wait_active(made["id"])
    refused = order(lab, "DELETE", WEB2, 409)
    assert "it has load balancers" in refused["faultstring"]
    answer = ask(lab, "DELETE", "/clouds/default/vms?count=1")  # web1, which has nothing
    assert answer.text == "device 'web1' is forgotten; its worker is left running\n"
    shown = order(lab, "PUT", "/clouds/default/vms?action=remove&count=all", 409)
    assert [(item["name"], item["accepted"]) for item in shown["vms"]] == [("web2", False)]
    assert device(lab, "web2")["loadbalancers"] == 1
    lab.delete(f"{LBAAS}/loadbalancers/{made['id']}?cascade=true")
    lab.wait(lambda: device(lab, "web2")["loadbalancers"] == 0, "it to be empty")
    lab.post("/v1/devices", {"name": "web1", "address": "127.0.0.1"})
    reset(lab)


def test_a_cloud_without_vms(lab: ControlLab) -> None:
    for method, query in (
        ("DELETE", ""),
        ("PUT", "?action=shutdown"),
        ("POST", "?action=force_retire"),
    ):
        answer = ask(lab, method, f"/clouds/core/vms{query}")
        assert (answer.status_code, answer.text) == (200, "the device pool 'core' has no devices\n")


# Who, from where, why.


@dataclass(frozen=True)
class Said:
    """How a comment is given, and what becomes of it."""

    comment: str
    options: Json


COMMENTS = {
    "header": Said("because", {"headers": {"X-Libra-Comment": "because"}}),
    "header in UTF-8": Said("schön 雪", {"headers": {"X-Libra-Comment": "schön 雪".encode()}}),
    "query": Said("a, b & c", {"params": {"comment": "  a, b & c "}}),
    "form": Said("schön 雪", {"data": {"comment": "schön 雪"}}),
    "form before header": Said(
        "b", {"data": {"comment": "b"}, "headers": {"X-Libra-Comment": "a"}}
    ),
    "the longest": Said("x" * 500, {"params": {"comment": "x" * 500}}),
    "none": Said("", {}),
}


@pytest.mark.parametrize("how", COMMENTS)
def test_events_say_who_from_where_and_why(lab: ControlLab, how: str) -> None:
    said, before = COMMENTS[how], events(lab)[-1]["id"]
    options = dict(said.options)
    place = "data" if "data" in options else "params"
    options[place] = {**options.get(place, {}), "action": "enable"}
    assert ask(lab, "PUT", "/clouds/core", **options).status_code == 200
    (told,) = events(lab, since=before, kind="devicepool.")
    assert (told["kind"], told["actor"]) == ("devicepool.enabled", "admin")
    assert (told["remote"], told["comment"]) == ("127.0.0.1", said.comment)


def test_whatever_is_changed_by_our_own_api_says_so_too(lab: ControlLab) -> None:
    lab.client.put(
        "/v1/device-pools/core", json={"priority": 1}, headers={"X-Libra-Comment": "why not"}
    )
    told = events(lab, kind="devicepool.changed")[-1]
    assert (told["remote"], told["comment"]) == ("127.0.0.1", "why not")


HOSTILE_COMMENTS: dict[str, Json] = {
    "too long": {"params": {"comment": "x" * 501}},
    "a line's end": {"params": {"comment": "a\nb"}},
    "an escape": {"data": {"comment": "\x1b[2J"}},
    "turned around": {"params": {"comment": "a\u202eb"}},
    "no UTF-8": {"headers": {"X-Libra-Comment": b"\xff\xfe"}},
    "a C1 character": {"headers": {"X-Libra-Comment": "\x9b2J".encode()}},
    "twice": {"params": [("comment", "a"), ("comment", "b"), ("action", "disable")]},
    "a NUL": {"params": {"comment": "a\0b"}},
    "two headers": {"headers": [("X-Libra-Comment", "a"), ("X-Libra-Comment", "b")]},
}


@pytest.mark.parametrize("fault", HOSTILE_COMMENTS)
def test_a_hostile_comment_is_refused_and_nothing_changes(lab: ControlLab, fault: str) -> None:
    options, before = dict(HOSTILE_COMMENTS[fault]), events(lab)
    if fault != "twice":
        place = "data" if "data" in options else "params"
        options[place] = {**options.get(place, {}), "action": "disable"}
    answer = ask(lab, "PUT", "/clouds/core", **options)
    assert answer.status_code == 400, answer.text
    assert events(lab) == before
    assert pool(lab, "core")["disabled"] is False


def test_a_forged_address_is_none(lab: ControlLab) -> None:
    """A proxy on this host may name whom it speaks for, and nothing else."""
    for forged, shown in (("10.9.8.7", "10.9.8.7"), ("<b>x</b>", ""), ("a" * 999, "")):
        headers = {"X-Forwarded-For": forged}
        assert ask(lab, "PUT", "/clouds/core?action=enable", headers=headers).status_code == 200
        assert events(lab, kind="devicepool.enabled")[-1]["remote"] == shown


ORDERS = (
    ("PUT", "/clouds/default?action=disable"),
    ("PUT", "/clouds/default?allocations=0"),
    ("DELETE", "/clouds/default/vms"),
    ("PUT", "/clouds/default/vms?action=shutdown"),
    ("POST", "/clouds/default/vms?action=force_retire"),
    ("POST", "/cloud-aliases"),
    ("POST", "/user-limits"),
)


@pytest.mark.parametrize(("method", "path"), ORDERS)
def test_where_a_comment_is_required_there_is_nothing_without(
    strict: ControlLab, method: str, path: str
) -> None:
    before = events(strict)
    for comment in ("", "&comment=", "&comment=%20%20"):
        spelled = f"{path}{comment if '?' in path else comment.replace('&', '?')}"
        answer = ask(strict, method, spelled)
        assert answer.status_code == 400
        assert "cannot do that without a comment" in answer.text
    assert events(strict) == before
    answer = ask(strict, method, path, headers={"X-Libra-Comment": "because"})
    assert "without a comment" not in answer.text
    assert ask(strict, "GET", "/cloud-aliases").status_code == 200
    strict.put("/v1/device-pools/default", {"disabled": False, "max_devices": None})


# Aliases and limits.


def test_maps_of_the_start_are_there_but_for_those_at_fault(lab: ControlLab) -> None:
    """`core` was no pool yet."""
    assert ask(lab, "GET", "/cloud-aliases").json() == {}
    answer = ask(lab, "GET", "/user-limits")
    assert (answer.headers["content-type"], answer.json()) == (
        "text/plain; charset=utf-8",
        {"poor": 0},
    )


def test_aliases_are_reloaded_and_used(lab: ControlLab) -> None:
    path = lab.directory / "aliases.json"
    assert order(lab, "POST", "/cloud-aliases") == {"west": ["default", "core"]}
    assert order(lab, "GET", "/cloud_aliases.json") == {"west": ["default", "core"]}
    path.write_text('{"east": ["nope"]}')
    refused = order(lab, "POST", "/cloud_aliases", 400)["faultstring"]
    assert refused == f"cannot use {path}: 'east': there is no device pool 'nope'"
    assert order(lab, "GET", "/cloud-aliases") == {"west": ["default", "core"]}
    for zone in ("west", "default", pool(lab, "default")["id"]):
        made = lab.create("zoned", availability_zone=zone)
        assert made["availability_zone"] == zone
        assert lab.show(made["id"])["availability_zone"] == zone
        found = lab.get(f"{LBAAS}/loadbalancers", availability_zone=zone)["loadbalancers"]
        assert [item["id"] for item in found] == [made["id"]]
        lab.delete(f"{LBAAS}/loadbalancers/{made['id']}?cascade=true")
    lab.wait(lambda: not lab.get(f"{LBAAS}/loadbalancers")["loadbalancers"], "their end")
    path.write_text("{}")
    assert order(lab, "POST", "/cloud-aliases") == {}


@pytest.mark.parametrize(
    ("zone", "status"),
    [("north", 400), ("Default", 400), (5, 400), ("a\nb", 400), ("x" * 256, 400), ("core", 503)],
)
def test_a_zone_where_nothing_can_be_placed(lab: ControlLab, zone: object, status: int) -> None:
    given = {"vip_subnet_id": "default", "availability_zone": zone}
    lab.post(f"{LBAAS}/loadbalancers", {"loadbalancer": given}, status)
    assert lab.get(f"{LBAAS}/loadbalancers")["loadbalancers"] == []


@pytest.mark.parametrize("zone", ["", None])
def test_no_zone_is_any(lab: ControlLab, zone: str | None) -> None:
    made = lab.create("anywhere", availability_zone=zone)
    assert made["availability_zone"] is None
    lab.delete(f"{LBAAS}/loadbalancers/{made['id']}?cascade=true")
    lab.wait(lambda: lab.get(f"{LBAAS}/loadbalancers")["loadbalancers"] == [], "it to be gone")


def test_limits_are_reloaded_and_heeded(lab: ControlLab) -> None:
    given = {"loadbalancer": {"vip_subnet_id": "default", "project_id": "poor"}}
    refused = lab.post(f"{LBAAS}/loadbalancers", given, 403)
    assert refused["faultstring"].endswith("the project 'poor' uses 0, and may use 0")
    path = lab.directory / "limits.json"
    for wrong in ('{"poor": -2}', '{"poor": "1"}', "nonsense", "[]"):
        path.write_text(wrong)
        assert str(path) in order(lab, "POST", "/user-limits", 400)["faultstring"]
    assert order(lab, "GET", "/user-limits") == {"poor": 0}
    path.write_text(json.dumps({"poor": 1, "rich": -1}))
    assert order(lab, "POST", "/user_limits") == {"poor": 1, "rich": -1}
    made = lab.post(f"{LBAAS}/loadbalancers", given)["loadbalancer"]
    lab.wait_active(made["id"])
    lab.delete(f"{LBAAS}/loadbalancers/{made['id']}?cascade=true")
    lab.wait(lambda: lab.get(f"{LBAAS}/loadbalancers")["loadbalancers"] == [], "it to be gone")


# Who may.


def test_a_member_and_a_reader_order_nothing(lab: ControlLab) -> None:
    before = events(lab)
    for role, project in ((Role.READER, None), (Role.MEMBER, "p")):
        client = lab.token(role, project)
        for method, path in ORDERS:
            assert client.request(method, path).status_code == 403, (role, path)
    assert [item for item in events(lab) if item["kind"] != "token.created"] == [
        item for item in before if item["kind"] != "token.created"
    ]
