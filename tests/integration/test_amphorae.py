"""Devices, as Octavia's clients know amphorae."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.control import ControlLab, control_lab

AMPHORAE = "/v2.0/octavia/amphorae"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    with control_lab(tmp_path_factory.mktemp("amphorae")) as lab:
        lab.first = lab.worker("web1", "127.0.0.1")  # type: ignore[attr-defined]
        lab.second = lab.worker("web2", "127.0.0.2")  # type: ignore[attr-defined]
        yield lab


def amphorae(lab: ControlLab, **filters: Any) -> list[Any]:
    found: list[Any] = lab.get(AMPHORAE, **filters)["amphorae"]
    return found


def carrier(lab: ControlLab, balancer: str) -> Any:
    (found,) = amphorae(lab, loadbalancer_id=balancer)
    return found


def test_one_a_device(lab: ControlLab) -> None:
    made = [lab.create(f"n{number}") for number in range(3)]
    shown = amphorae(lab)
    assert [item["compute_id"] for item in shown] == ["web1", "web2"]
    assert {item["status"] for item in shown} == {"ALLOCATED"}
    for balancer in made:  # each is found by its own, though one of them has two
        found = carrier(lab, balancer["id"])
        assert found["loadbalancer_id"] == balancer["id"]
        assert found["ha_ip"] == balancer["vip_address"]
    (first,) = amphorae(lab, compute_id="web1")
    assert first["lb_network_ip"] == "127.0.0.1"
    assert first["cached_zone"] == "default"
    assert lab.get(f"{AMPHORAE}/{first['id']}")["amphora"] == first
    asked = f"{AMPHORAE}?id={first['id']}&status=ALLOCATED&cert_busy=False"
    assert lab.get(asked)["amphorae"] == [first]
    assert amphorae(lab, role="MASTER") == []
    assert amphorae(lab, vrrp_ip="null") == shown
    for balancer in made:
        lab.delete(f"/v2.0/lbaas/loadbalancers/{balancer['id']}?cascade=true")
    lab.wait(lambda: {item["status"] for item in amphorae(lab)} == {"READY"}, "they are empty")
    assert {item["loadbalancer_id"] for item in amphorae(lab)} == {None}


def test_pages(lab: ControlLab) -> None:
    first, second = amphorae(lab)
    assert amphorae(lab, sort="compute_id:desc") == [second, first]
    page = lab.get(AMPHORAE, limit=1, sort_key="compute_id", sort_dir="desc")
    assert page["amphorae"] == [second]
    (link,) = page["amphorae_links"]
    assert link["rel"] == "next"
    page = lab.get(link["href"].partition(str(lab.client.base_url).rstrip("/"))[2])
    assert page["amphorae"] == [first]
    assert amphorae(lab, limit=1, marker=second["id"]) == []
    assert amphorae(lab, limit=1, marker=second["id"], page_reverse=True) == [first]
    assert amphorae(lab, fields="id") == [{"id": first["id"]}, {"id": second["id"]}]
    for wrong in ({"name": "x"}, {"sort": "name"}, {"marker": "x"}, {"limit": "x"}):
        lab.get(AMPHORAE, 400, **wrong)
    lab.get(AMPHORAE + "?id=a&id=b", 400)
    lab.get(f"{AMPHORAE}/nothing", 404)
    lab.get(f"{AMPHORAE}/nothing/stats", 404)


def test_failover_and_config(lab: ControlLab) -> None:
    made = lab.create("moves")
    before = carrier(lab, made["id"])
    other = next(item for item in amphorae(lab) if item["id"] != before["id"])
    lab.put(f"{AMPHORAE}/{before['id']}/failover", {}, 202)
    lab.wait_active(made["id"])
    after = carrier(lab, made["id"])
    assert after["id"] == other["id"]
    assert lab.client.put(f"{AMPHORAE}/{before['id']}/failover").status_code == 409
    worker = {"web1": "first", "web2": "second"}[after["compute_id"]]
    sent = len(getattr(lab, worker).updates())
    assert lab.client.put(f"{AMPHORAE}/{after['id']}/config").status_code == 202
    lab.wait(lambda: len(getattr(lab, worker).updates()) > sent, "an UPDATE")
    assert set(lab.get(f"{AMPHORAE}/{after['id']}/stats")) == {"amphora_stats"}
    assert lab.client.delete(f"{AMPHORAE}/{after['id']}").status_code == 409
    lab.delete(f"/v2.0/lbaas/loadbalancers/{made['id']}?cascade=true")


def test_the_end_of_one(lab: ControlLab) -> None:
    """Last: it is retired, and no amphora any more."""
    lab.wait(lambda: {item["status"] for item in amphorae(lab)} == {"READY"}, "they are empty")
    key = amphorae(lab, compute_id="web2")[0]["id"]
    lab.delete(f"{AMPHORAE}/{key}")
    lab.wait(lambda: lab.client.get(f"{AMPHORAE}/{key}").status_code == 404, "it is gone")
    assert lab.get("/v1/devices/web2")["device"]["state"] == "RETIRED"
    assert [item["compute_id"] for item in amphorae(lab)] == ["web1"]
