"""Devices die, are drained, and come back; what they had goes on elsewhere. Real API, manager and job server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from libra.model.access import Role
from tests.support.control import LBAAS, READY, ControlLab, ThreadWorker, control_lab

Json = dict[str, Any]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ControlLab]:
    with control_lab(tmp_path, probe_seconds=0.2, probe_deadline_seconds=1) as lab:
        lab.put("/v1/device-pools/default", {"shared": False})
        yield lab


def device(lab: ControlLab, name: str) -> Json:
    shown: Json = lab.get(f"/v1/devices/{name}")["device"]
    return shown


def host(lab: ControlLab, key: str) -> str:
    """The name of the device that has it."""
    services = lab.controller.services
    with services.storage.reading() as unit:
        owner = unit.loadbalancers.get(key)
        assert owner is not None
        found = unit.devices.get(owner.device_id or "")
    assert found is not None
    return found.name


def runs(worker: ThreadWorker) -> set[str]:
    """The ids of what it was told to run."""
    loadbalancers = worker.updates()[-1]["loadbalancers"] if worker.updates() else []
    return {item["id"] for item in loadbalancers}


def kinds(lab: ControlLab, subject: str) -> list[str]:
    events = lab.get("/v1/events", subject_id=subject, limit=1000)["events"]
    return [event["kind"] for event in events]


def test_what_a_dead_device_had_goes_to_a_spare_one(lab: ControlLab) -> None:
    first = lab.worker("web1")
    made = [lab.create(f"shop{n}", **listening(8080 + n)) for n in range(3)]
    second = lab.worker("web2")
    assert device(lab, "web1")["state"] == "ASSIGNED"
    assert device(lab, "web2")["state"] == "SPARE"
    first.mute = True
    for item in made:
        lab.wait(lambda key=item["id"]: host(lab, key) == "web2", "the failover")
        lab.wait_active(item["id"])
    assert runs(second) == {item["id"] for item in made}
    assert [lab.show(item["id"])["vip_address"] for item in made] == [
        item["vip_address"] for item in made
    ]
    assert device(lab, "web1")["state"] == "ERROR"
    assert device(lab, "web2")["state"] == "ASSIGNED"
    assert "loadbalancer.failover" in kinds(lab, made[0]["id"])
    assert "device.failover" in kinds(lab, device(lab, "web1")["id"])
    # When it comes back it has to let go before it is used for anything else.
    first.mute = False
    lab.wait(lambda: device(lab, "web1")["state"] == "SPARE", "its return")
    assert runs(first) == set()
    assert runs(second) == {item["id"] for item in made}


def test_one_that_comes_back_without_its_proxy_is_no_spare_before_it_has_let_go(
    lab: ControlLab,
) -> None:
    """It has what was moved away in its saved state, and would serve it as soon as its proxy runs."""
    first = lab.worker("web1")
    key = lab.create()["id"]
    lab.worker("web2")
    first.mute = True
    lab.wait(lambda: host(lab, key) == "web2", "the failover")
    lab.wait_active(key)
    first.driver.running, first.refuse = False, '"loadbalancers": []'
    first.mute = False
    seen = len(first.messages)
    lab.wait(lambda: len(first.messages) > seen + 5, "some probes")
    assert device(lab, "web1")["state"] == "ERROR"
    assert "still has what was moved away" in device(lab, "web1")["reason"]
    first.refuse = None
    lab.wait(lambda: device(lab, "web1")["state"] == "SPARE", "it to let go")
    assert runs(first) == set()


def test_counters_go_on_where_the_load_balancer_goes(lab: ControlLab) -> None:
    first = lab.worker("web1")
    key = lab.create()["id"]
    (listener,) = lab.get(f"{LBAAS}/listeners")["listeners"]

    def served() -> tuple[int, int]:
        stats = lab.get(f"{LBAAS}/loadbalancers/{key}/stats")["stats"]
        return stats["bytes_in"], stats["total_connections"]

    first.driver.count(key, listener["id"], {"bytes_in": 1000, "total_sessions": 10})
    lab.wait(lambda: served() == (1000, 10), "the first device's counters")
    second = lab.worker("web2")
    first.mute = True
    lab.wait(lambda: host(lab, key) == "web2", "the failover")
    lab.wait_active(key)
    probed = len(second.messages)
    lab.wait(lambda: len(second.messages) > probed + 2, "some probes")
    assert served() == (1000, 10)
    second.driver.count(key, listener["id"], {"bytes_in": 5, "total_sessions": 1})
    lab.wait(lambda: served() == (1005, 11), "the second device's counters")


def listening(port: int) -> Json:
    pool = {"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
    return {"listeners": [{"protocol": "HTTP", "protocol_port": port, "default_pool": pool}]}


def test_without_a_spare_it_waits_and_is_not_forgotten(lab: ControlLab) -> None:
    first = lab.worker("web1")
    made = lab.create()
    first.mute = True
    lab.wait(lambda: device(lab, "web1")["state"] == "ERROR", "its loss")
    lab.wait(lambda: "device.stranded" in kinds(lab, device(lab, "web1")["id"]), "the event")
    lab.worker("web2")
    lab.wait(lambda: host(lab, made["id"]) == "web2", "the failover")
    lab.wait_active(made["id"])


def test_one_that_answers_again_before_there_is_a_spare_keeps_what_it_has(lab: ControlLab) -> None:
    first = lab.worker("web1")
    made = lab.create()
    first.mute = True
    lab.wait(lambda: device(lab, "web1")["state"] == "ERROR", "its loss")
    first.mute = False
    lab.wait(lambda: device(lab, "web1")["state"] == "ASSIGNED", "its return")
    assert host(lab, made["id"]) == "web1"
    assert lab.show(made["id"])["provisioning_status"] == "ACTIVE"


def test_many_at_once_move_nothing_until_somebody_says_so(lab: ControlLab) -> None:
    lab.put("/v1/device-pools/default", {"shared": True})
    workers = [lab.worker(f"web{n}") for n in range(4)]
    made = [lab.create(f"shop{n}") for n in range(2)]
    before = [host(lab, item["id"]) for item in made]
    assert len(set(before)) == 2
    lost = [worker for worker in workers if worker.name in before]
    for worker in lost:
        worker.mute = True

    def pool() -> Json:
        shown: Json = lab.get("/v1/device-pools/default")["device_pool"]
        return shown

    lab.wait(lambda: pool()["brake_since"] is not None, "the brake")
    assert "rather the network" in pool()["brake_reason"]
    lab.wait(lambda: all(device(lab, name)["state"] == "ERROR" for name in before), "the loss")
    assert "devicepool.braked" in kinds(lab, "default")
    assert [host(lab, item["id"]) for item in made] == before
    # An operator who knows better moves one.
    lab.post(f"/v1/devices/{before[0]}/evacuate", {}, 202)
    lab.wait(lambda: host(lab, made[0]["id"]) not in before, "the move by hand")
    lost[1].mute = False
    lab.wait(lambda: device(lab, before[1])["state"] in READY, "its return")
    lab.wait(lambda: pool()["brake_since"] is None, "the release")
    assert host(lab, made[1]["id"]) == before[1]


def test_evacuated_the_target_has_it_before_the_source_lets_go(lab: ControlLab) -> None:
    first = lab.worker("web1")
    made = lab.create()
    second = lab.worker("web2")
    second.refuse = made["id"]
    lab.post("/v1/devices/web1/evacuate", {}, 202)
    lab.wait(lambda: host(lab, made["id"]) == "web2", "the move")
    lab.wait_status(made["id"], "ERROR")
    assert runs(first) == {made["id"]}
    second.refuse = None
    lab.wait_active(made["id"])
    lab.wait(lambda: runs(first) == set(), "the source to let go")
    shown = device(lab, "web1")
    assert shown["state"] == "DRAINING"
    assert shown["loadbalancers"] == 0
    lab.post("/v1/devices/web1/approve", {}, 202)
    assert device(lab, "web1")["state"] == "SPARE"


def test_retired_it_is_asked_no_more(lab: ControlLab) -> None:
    first = lab.worker("web1")
    made = lab.create()
    lab.worker("web2")
    lab.post("/v1/devices/web1/retire", {}, 202)
    lab.wait(lambda: device(lab, "web1")["state"] == "RETIRED", "the retirement")
    assert host(lab, made["id"]) == "web2"
    lab.wait_active(made["id"])
    assert runs(first) == set()
    told = lab.client.post("/v1/devices/web1/evacuate").json()["faultstring"]
    assert told == "cannot make the device 'web1' DRAINING while it is RETIRED"
    lab.post("/v1/devices/web1/approve", {}, 202)
    lab.wait(lambda: device(lab, "web1")["state"] == "SPARE", "its return")


def test_a_change_that_is_under_way_goes_on_at_the_new_device(lab: ControlLab) -> None:
    first = lab.worker("web1")
    made = lab.create()
    second = lab.worker("web2")
    first.mute = True
    path = f"{LBAAS}/loadbalancers/{made['id']}"
    lab.put(path, {"loadbalancer": {"admin_state_up": False, "name": "closed"}})
    lab.wait(lambda: host(lab, made["id"]) == "web2", "the failover")
    lab.wait_active(made["id"])
    assert lab.show(made["id"])["name"] == "closed"
    assert runs(second) == {made["id"]}


def test_a_deletion_that_is_under_way_ends_at_the_new_device(lab: ControlLab) -> None:
    first = lab.worker("web1")
    kept, gone = lab.create("kept", **listening(81)), lab.create("gone", **listening(82))
    second = lab.worker("web2")
    first.mute = True
    lab.delete(f"{LBAAS}/loadbalancers/{gone['id']}?cascade=true")
    lab.wait(lambda: host(lab, kept["id"]) == "web2", "the failover")
    path = f"{LBAAS}/loadbalancers/{gone['id']}"
    lab.wait(lambda: lab.client.get(path).status_code == 404, "the deletion")
    lab.wait_active(kept["id"])
    assert runs(second) == {kept["id"]}


def test_a_spare_that_dies_too_is_followed_by_the_next_one(lab: ControlLab) -> None:
    lab.put("/v1/device-pools/default", {"brake_percent": 100})
    first = lab.worker("web1")
    made = lab.create()
    second, third = lab.worker("web2"), lab.worker("web3")
    second.refuse = made["id"]
    first.mute = True
    lab.wait(lambda: host(lab, made["id"]) == "web2", "the failover")
    second.mute = True
    lab.wait(lambda: host(lab, made["id"]) == "web3", "the second failover")
    lab.wait_active(made["id"])
    first.mute = second.mute = False
    second.refuse = None
    for name in ("web1", "web2"):
        lab.wait(lambda name=name: device(lab, name)["state"] == "SPARE", "its return")
    assert runs(third) == {made["id"]}
    assert runs(first) == set()


def test_projects_have_devices_of_their_own(lab: ControlLab) -> None:
    lab.worker("web1")
    lab.create()
    other = lab.token(Role.MEMBER, "other")
    given = {"loadbalancer": {"name": "x", "vip_subnet_id": "default"}}
    refused = other.post(f"{LBAAS}/loadbalancers", json=given)
    assert refused.status_code == 503
    assert "another project's" in refused.json()["faultstring"]
    lab.worker("web2")
    made = other.post(f"{LBAAS}/loadbalancers", json=given).json()["loadbalancer"]
    assert host(lab, made["id"]) == "web2"


def test_one_without_load_balancers_is_spare_again(lab: ControlLab) -> None:
    lab.worker("web1")
    made = lab.create()
    lab.delete(f"{LBAAS}/loadbalancers/{made['id']}?cascade=true")
    lab.wait(lambda: device(lab, "web1")["state"] == "SPARE", "its return")


def test_by_hand_it_goes_to_another_device_and_where_there_is_none_it_is_sent_again(
    lab: ControlLab,
) -> None:
    first = lab.worker("web1")
    made = lab.create()
    path = f"{LBAAS}/loadbalancers/{made['id']}/failover"
    count = len(first.updates())
    assert lab.client.put(path).status_code == 202
    lab.wait(lambda: len(first.updates()) > count, "the same again")
    lab.wait_active(made["id"])
    assert host(lab, made["id"]) == "web1"
    second = lab.worker("web2")
    assert lab.client.put(path).status_code == 202
    assert host(lab, made["id"]) == "web2"
    lab.wait_active(made["id"])
    assert runs(second) == {made["id"]}
    lab.wait(lambda: runs(first) == set(), "the first to let go")
    assert device(lab, "web1")["state"] == "SPARE"


def test_a_pool_is_made_changed_and_removed(lab: ControlLab) -> None:
    made = lab.post("/v1/device-pools", {"name": "edge", "min_spare": 2})["device_pool"]
    assert (made["shared"], made["auto_enroll"], made["devices"]) == (False, False, 0)
    lab.post("/v1/device-pools", {"name": "edge"}, 409)
    changed = lab.put("/v1/device-pools/edge", {"probe_seconds": 2.5})["device_pool"]
    assert (changed["probe_seconds"], changed["min_spare"]) == (2.5, 2)
    lab.post("/v1/devices", {"name": "web9", "pool": "edge"})
    assert lab.client.delete("/v1/device-pools/edge").status_code == 409
    lab.delete("/v1/devices/web9")
    lab.delete(f"/v1/device-pools/{made['id']}")
    lab.get("/v1/device-pools/edge", 404)
    assert lab.client.delete("/v1/device-pools/default").status_code == 409
    assert lab.client.put("/v1/device-pools/default", json={"name": "x"}).status_code == 409
    lab.post("/v1/devices", {"name": "web9", "pool": "nowhere"}, 404)
