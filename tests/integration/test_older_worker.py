"""A device whose worker knows messages of 1.0 only is given what it can do, and no more."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.control import LBAAS, ControlLab, ThreadWorker, control_lab, whole


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ControlLab]:
    with control_lab(tmp_path) as lab:
        yield lab


@pytest.fixture
def older(lab: ControlLab) -> ThreadWorker:
    return lab.worker("old1", older=True)


def drifts(lab: ControlLab) -> list[Any]:
    return list(lab.get("/v1/events", kind="device.drift")["events"])


def last_seen(lab: ControlLab) -> Any:
    return lab.get("/v1/devices/old1")["device"]["last_seen"]


def see_it_twice(lab: ControlLab) -> None:
    """Two more probes."""
    for _ in range(2):
        before = last_seen(lab)
        lab.wait(lambda before=before: last_seen(lab) != before, "a probe")  # type: ignore[misc]


def test_it_is_told_in_its_own_words(lab: ControlLab, older: ThreadWorker) -> None:
    assert lab.get("/v1/devices/old1")["device"]["protocol"] == "1.0"
    created = lab.create()
    (told,) = older.updates()
    assert {"hpcs_version", "hpcs_generation"} & told.keys() == set()
    (said,) = told["loadbalancers"]
    listener = created["listeners"][0]
    assert said["id"] == listener["id"]
    assert (said["protocol"], said["port"], said["bind_address"]) == ("HTTP", 8080, "127.0.1.1")
    see_it_twice(lab)
    assert lab.show(created["id"])["operating_status"] == "ONLINE"
    assert drifts(lab) == []
    path = f"{LBAAS}/loadbalancers/{created['id']}"
    lab.delete(f"{path}?cascade=true")
    lab.wait(lambda: lab.client.get(path).status_code == 404, "its end")
    assert "DELETE" in [item["hpcs_action"] for item in older.messages]
    see_it_twice(lab)
    assert drifts(lab) == []


def test_more_than_it_can_do_is_refused_before_anything_is_stored(
    lab: ControlLab, older: ThreadWorker
) -> None:
    created = lab.create()
    pool = created["pools"][0]["id"]
    second = {"loadbalancer_id": created["id"], "protocol": "HTTP", "protocol_port": 81}
    second["default_pool_id"] = pool
    refused = lab.post(f"{LBAAS}/listeners", {"listener": second}, 501)
    assert "its worker is of an older release" in refused["faultstring"]
    path = f"{LBAAS}/listeners/{created['listeners'][0]['id']}"
    refused = lab.put(path, {"listener": {"allowed_cidrs": ["10.0.0.0/8"]}}, 501)
    assert "the listener's allowed_cidrs" in refused["faultstring"]
    assert len(lab.get(f"{LBAAS}/listeners")["listeners"]) == 1
    assert lab.show(created["id"])["provisioning_status"] == "ACTIVE"
    lab.put(path, {"listener": {"connection_limit": 5}})
    lab.wait_active(created["id"])
    assert older.updates()[-1]["loadbalancers"][0]["connection_limit"] == 5


def test_http_and_tcp_go_together(lab: ControlLab, older: ThreadWorker) -> None:
    first = lab.create()
    tcp = whole(9090)
    tcp["listeners"][0]["protocol"] = "TCP"
    tcp["listeners"][0]["default_pool"]["protocol"] = "TCP"
    tcp["listeners"][0]["default_pool"].pop("session_persistence", None)
    second = lab.create("mail", **tcp)
    assert [item["protocol"] for item in older.updates()[-1]["loadbalancers"]] == ["HTTP", "TCP"]
    third = {"name": "more", "vip_subnet_id": "default"}
    refused = lab.client.post(f"{LBAAS}/loadbalancers", json={"loadbalancer": third})
    assert refused.status_code >= 400
    assert "has 2 load balancers" in refused.text
    for made in (first, second):
        assert lab.show(made["id"])["provisioning_status"] == "ACTIVE"


def test_a_hand_that_changed_it_is_seen(lab: ControlLab, older: ThreadWorker) -> None:
    lab.create()
    older.controller.handle({"hpcs_action": "DELETE"})
    lab.wait(lambda: len(older.updates()) == 2, "the repair")
    assert [event["subject_id"] for event in drifts(lab)] != []


def test_a_newer_worker_is_preferred_and_an_upgrade_is_noticed(
    lab: ControlLab, older: ThreadWorker
) -> None:
    newer = lab.worker("web1", "127.0.0.2")
    lab.create()
    assert (len(older.updates()), len(newer.updates())) == (0, 1)
    older.older = False
    older.mute = True
    path = "/v1/devices/old1"
    lab.wait(lambda: lab.get(path)["device"]["state"] == "ERROR", "its absence")
    older.mute = False
    lab.wait(lambda: lab.get(path)["device"]["protocol"] == "2.0", "the upgrade")
