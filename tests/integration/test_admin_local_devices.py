"""Orders about devices that are real worker processes on this host: none is left behind, and none is booted in vain."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from libra.providers.local import create_provider
from libra.storage.query import Query
from tests.support.control import ControlLab, control_lab
from tests.support.haproxy import socket_directory
from tests.support.ports import wait_until

__all__ = ["socket_directory"]

Json = dict[str, Any]
MANY = 5  # twenty are shut down by the command line
JSON = {"Accept": "application/json"}


@pytest.fixture
def lab(socket_directory: Path) -> Iterator[ControlLab]:
    with control_lab(socket_directory, probe_seconds=0.3, probe_deadline_seconds=1) as lab:
        try:
            yield lab
        finally:
            lab.stop_controller()
            provider = create_provider(lab.settings, "edge")
            for host in provider.list():
                provider.shutdown(host.name)


def order(lab: ControlLab, method: str, path: str, status: int = 200, **form: object) -> Any:
    answer = lab.client.request(method, path, data=form or None, headers=JSON)
    assert answer.status_code == status, (path, answer.status_code, answer.text)
    return answer.json()


def devices(lab: ControlLab) -> dict[str, Json]:
    return {item["name"]: item for item in lab.get("/v1/devices")["devices"]}


def states(lab: ControlLab) -> list[str]:
    return sorted(item["state"] for item in devices(lab).values())


def directories(lab: ControlLab) -> set[str]:
    return {path.name for path in lab.settings.providers.local_dir.iterdir()}


def pid_of(lab: ControlLab, name: str) -> int:
    return int((lab.settings.providers.local_dir / name / "state" / "worker.lock").read_text())


def runs(pid: int) -> bool:
    """A zombie does not: what has detached itself is nobody's child here."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_all_of_many_are_shut_down_and_nothing_is_left(lab: ControlLab) -> None:
    pool = {"name": "edge", "provider": "local", "min_spare": MANY}
    lab.post("/v1/device-pools", pool)
    wait_until(lambda: states(lab) == ["SPARE"] * MANY, timeout=300, what="all of them")
    pids = [pid_of(lab, name) for name in devices(lab)]
    assert all(map(runs, pids))
    order(lab, "PUT", "/clouds/edge", action="disable")
    done = order(lab, "PUT", "/clouds/edge/vms", action="shutdown", count="all")
    assert (done["accepted"], done["refused"], len(done["vms"])) == (MANY, 0, MANY)
    seen = [MANY]  # how many are left, as a program follows it

    def is_empty() -> bool:
        left = devices(lab)
        assert {item["state"] for item in left.values()} <= {"DRAINING", "RETIRED"}
        seen.append(len(left))
        return not left

    wait_until(is_empty, timeout=120, what="the end of all")
    assert seen == sorted(seen, reverse=True)
    assert not any(map(runs, pids))
    assert directories(lab) == set()
    again = order(lab, "PUT", "/clouds/edge/vms", action="shutdown")
    assert again["vms"] == []
    destroyed = lab.get("/v1/events", kind="device.destroyed", limit=1000)["events"]
    assert len(destroyed) == MANY
    assert lab.get("/v1/device-pools/edge")["device_pool"]["devices"] == 0


def test_a_pool_shrinks_grows_and_loses_a_host_that_has_something(lab: ControlLab) -> None:
    pool = {"name": "edge", "provider": "local", "min_spare": 1, "max_devices": 3}
    lab.post("/v1/device-pools", pool)
    lab.wait(lambda: states(lab) == ["SPARE"], "the first")
    one = lab.create("one", project_id="p1")
    lab.wait(lambda: states(lab) == ["ASSIGNED", "SPARE"], "the second")
    other = lab.create("other", project_id="p2")
    lab.wait(lambda: states(lab) == ["ASSIGNED", "ASSIGNED", "SPARE"], "as many as there may be")

    # Shrunk, it gives up the one that has nothing, and gets no other one.
    (spare,) = (name for name, item in devices(lab).items() if item["state"] == "SPARE")
    done = order(lab, "PUT", "/clouds/edge", allocations=2)
    assert [item["name"] for item in done["drained"]] == [spare]
    lab.wait(lambda: spare not in devices(lab), "its end")
    assert directories(lab) == set(devices(lab))

    # A host is destroyed at once, and stays on record with what it has until there is a place for that.
    holder = next(name for name in devices(lab) if holds(lab, name) == one["id"])
    pid = pid_of(lab, holder)
    order(lab, "PUT", f"/clouds/edge/vms/{holder}", action="shutdown")
    wait_until(lambda: not runs(pid), timeout=60, what="the end of its worker")
    lab.wait(lambda: holder not in directories(lab), "the end of its directory")
    shown = devices(lab)[holder]
    assert (shown["state"], shown["shutting_down"]) == ("DRAINING", True)
    assert holds(lab, holder) == one["id"]
    assert len(devices(lab)) == 2

    # Grown, it boots one, which takes that over; then the record goes, too.
    order(lab, "PUT", "/clouds/edge", allocations="none")
    lab.wait(lambda: holder not in devices(lab), "the failover")
    lab.wait_active(one["id"])
    assert lab.show(other["id"])["provisioning_status"] == "ACTIVE"
    lab.wait(lambda: states(lab) == ["ASSIGNED", "ASSIGNED", "SPARE"], "another spare")

    # One that is forgotten runs on, and is nobody's: the next spare is another one.
    (spare,) = (name for name, item in devices(lab).items() if item["state"] == "SPARE")
    pid = pid_of(lab, spare)
    order(lab, "DELETE", f"/clouds/edge/vms/{spare}")
    lab.wait(lambda: states(lab) == ["ASSIGNED", "ASSIGNED", "SPARE"], "another spare")
    assert spare not in devices(lab)
    assert runs(pid)
    assert pid_of(lab, spare) == pid


def holds(lab: ControlLab, name: str) -> str | None:
    """The load balancer that it has, if any."""
    where = {"device_id": devices(lab)[name]["id"]}
    with lab.controller.services.storage.reading() as unit:
        found = unit.loadbalancers.find(Query(where=where))
    return found[0].id if found else None
