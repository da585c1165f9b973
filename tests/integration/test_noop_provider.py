"""Load balancers that are records and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from libra.manager.chores import UNANSWERED
from tests.support.control import LBAAS, ControlLab, control_lab, whole

NOOP = {"name": "n", "vip_subnet_id": "default", "provider": "noop"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    """Without any device."""
    with control_lab(tmp_path_factory.mktemp("noop")) as lab:
        yield lab


def test_a_whole_one(lab: ControlLab) -> None:
    """Made, changed, failed over, deleted: without a job."""
    given = {**NOOP, **whole()}
    given["listeners"][0]["default_pool"]["healthmonitor"] = {  # type: ignore[index]
        "type": "TCP",
        "delay": 5,
        "timeout": 3,
        "max_retries": 3,
    }
    made = lab.post(f"{LBAAS}/loadbalancers", {"loadbalancer": given})["loadbalancer"]
    assert (made["provisioning_status"], made["operating_status"]) == ("PENDING_CREATE", "OFFLINE")
    key, pool = made["id"], made["pools"][0]["id"]
    lab.wait_active(key)
    shown = lab.show(key)
    assert (shown["provider"], shown["operating_status"]) == ("noop", "OFFLINE")  # as nobody looks
    assert shown["updated_at"] is not None
    (listener,) = lab.get(f"{LBAAS}/loadbalancers/{key}/status")["statuses"]["loadbalancer"][
        "listeners"
    ]
    (shown_pool,) = listener["pools"]
    (member,) = shown_pool["members"]
    assert [item["operating_status"] for item in (listener, shown_pool, member)] == [
        "OFFLINE",
        "OFFLINE",
        "OFFLINE",
    ]
    assert shown_pool["health_monitor"]["operating_status"] == "ONLINE"
    monitor = shown_pool["health_monitor"]["id"]
    lab.delete(f"{LBAAS}/healthmonitors/{monitor}")
    lab.wait_active(key)
    free = lab.get(f"{LBAAS}/pools/{pool}/members/{member['id']}")["member"]
    assert free["operating_status"] == "NO_MONITOR"
    for path, body in (
        (f"/listeners/{listener['id']}", {"listener": {"admin_state_up": False}}),
        (f"/pools/{pool}/members/{member['id']}", {"member": {"admin_state_up": False}}),
        (f"/loadbalancers/{key}", {"loadbalancer": {"name": "other"}}),
    ):
        changed = next(iter(lab.put(f"{LBAAS}{path}", body).values()))
        assert changed["provisioning_status"] == "PENDING_UPDATE"
        lab.wait_active(key)
    for path, status in (
        (f"/listeners/{listener['id']}", "OFFLINE"),
        (f"/pools/{pool}/members/{member['id']}", "NO_MONITOR"),
    ):
        one = next(iter(lab.get(f"{LBAAS}{path}").values()))
        assert (one["provisioning_status"], one["operating_status"]) == ("ACTIVE", status)
    lab.put(f"{LBAAS}/loadbalancers/{key}/failover", {}, 202)
    lab.wait_active(key)
    lab.delete(f"{LBAAS}/pools/{pool}/members/{member['id']}")
    lab.wait_active(key)
    assert lab.get(f"{LBAAS}/pools/{pool}/members")["members"] == []
    assert set(lab.get(f"{LBAAS}/loadbalancers/{key}/stats")["stats"].values()) == {0}
    assert lab.get("/v1/jobs")["jobs"] == []
    lab.delete(f"{LBAAS}/loadbalancers/{key}?cascade=true")
    lab.get(f"{LBAAS}/loadbalancers/{key}", 404)
    told = [event for event in lab.get("/v1/events")["events"] if event["subject_id"] == key]
    assert {event["kind"] for event in told} == {"loadbalancer.active", "loadbalancer.deleted"}


def test_its_address_is_its_own(lab: ControlLab) -> None:
    made = lab.post(f"{LBAAS}/loadbalancers", {"loadbalancer": NOOP})["loadbalancer"]
    lab.wait_active(made["id"])
    again = {**NOOP, "vip_address": made["vip_address"]}
    lab.post(f"{LBAAS}/loadbalancers", {"loadbalancer": again}, 409)
    lab.delete(f"{LBAAS}/loadbalancers/{made['id']}")
    made = lab.post(f"{LBAAS}/loadbalancers", {"loadbalancer": again})["loadbalancer"]
    lab.wait_active(made["id"])
    lab.delete(f"{LBAAS}/loadbalancers/{made['id']}")


def test_a_real_one_beside_it_wants_a_device(lab: ControlLab) -> None:
    wanted = {"name": "r", "vip_subnet_id": "default"}
    lab.post(f"{LBAAS}/loadbalancers", {"loadbalancer": wanted}, 503)
    lab.post(f"{LBAAS}/loadbalancers", {"loadbalancer": {**wanted, "provider": "f5"}}, 400)


def test_what_a_controller_left_half_done(tmp_path: Path) -> None:
    """Stored, and then a crash: the next one finishes it, and does not take it for late."""
    with control_lab(tmp_path) as lab:
        lab.controller._manager.stop()
        made = lab.post(f"{LBAAS}/loadbalancers", {"loadbalancer": NOOP})["loadbalancer"]
        lab.stop_controller()
        lab.start_controller()
        lab.client = lab.client_with(lab.secret)
        lab.wait_active(made["id"])
        told = [item["reason"] for item in lab.get("/v1/events")["events"]]
        assert UNANSWERED not in told
