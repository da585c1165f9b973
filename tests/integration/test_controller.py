"""The controller end to end, with a real job server and workers without a proxy."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from libra.cmd.controlling import Controller
from libra.manager.sender import expected_digest, plan_now
from libra.model.job import JobAction, JobState
from libra.model.status import ProvisioningStatus
from libra.storage.query import Query
from tests.support.control import LBAAS, READY, ControlLab, ThreadWorker, control_lab, whole
from tests.support.storages import at, build_device, build_job, migrated, new_id

MEMBER = {"member": {"address": "10.0.0.2", "protocol_port": 80}}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ControlLab]:
    with control_lab(tmp_path) as lab:
        yield lab


@pytest.fixture
def worker(lab: ControlLab) -> ThreadWorker:
    return lab.worker()


def runs_as_stored(lab: ControlLab, worker: ThreadWorker) -> bool:
    """Whether the worker runs exactly what the database says."""
    with lab.controller.services.storage.reading() as unit:
        device = unit.devices.by_name(worker.name)
        assert device is not None
        expected = expected_digest(plan_now(unit, lab.controller.services.sealer, device.id))
    reply = worker.controller.handle({"hpcs_action": "STATS"})
    return bool(reply.get("digest") == expected)


def test_a_load_balancer_from_its_creation_to_its_end(
    lab: ControlLab, worker: ThreadWorker
) -> None:
    created = lab.create()
    assert created["provisioning_status"] == "PENDING_CREATE"
    assert created["vip_address"] == "127.0.1.1"
    shown = lab.show(created["id"])
    assert shown["updated_at"] is not None
    assert [item["id"] for item in shown["listeners"]] == [created["listeners"][0]["id"]]
    (told,) = worker.updates()
    assert told["hpcs_version"] == "2.0"
    assert told["loadbalancers"][0]["address"] == "127.0.1.1"
    assert runs_as_stored(lab, worker)

    pool = created["pools"][0]["id"]
    member = lab.post(f"{LBAAS}/pools/{pool}/members", MEMBER)["member"]
    assert (member["provisioning_status"], member["operating_status"]) == (
        "PENDING_CREATE",
        "NO_MONITOR",
    )
    lab.wait_active(created["id"])
    path = f"{LBAAS}/pools/{pool}/members/{member['id']}"
    assert lab.get(path)["member"]["provisioning_status"] == "ACTIVE"
    lab.put(path, {"member": {"weight": "5"}})
    lab.wait_active(created["id"])
    lab.delete(path)
    lab.wait_active(created["id"])
    lab.get(path, 404)
    assert runs_as_stored(lab, worker)

    lab.delete(f"{LBAAS}/loadbalancers/{created['id']}", 400)
    lab.delete(f"{LBAAS}/loadbalancers/{created['id']}?cascade=true")
    lab.wait(
        lambda: lab.client.get(f"{LBAAS}/loadbalancers/{created['id']}").status_code == 404, ""
    )
    assert worker.updates()[-1]["loadbalancers"] == []
    assert lab.create()["vip_address"] == "127.0.1.1"


def test_every_part_by_itself(lab: ControlLab, worker: ThreadWorker) -> None:
    given = {"loadbalancer": {"name": "bare", "vip_network_id": "default"}}
    owner = lab.post(f"{LBAAS}/loadbalancers", given)["loadbalancer"]["id"]
    lab.wait_active(owner)
    pool = {"loadbalancer_id": owner, "protocol": "HTTP", "lb_algorithm": "LEAST_CONNECTIONS"}
    pool_id = lab.post(f"{LBAAS}/pools", {"pool": pool})["pool"]["id"]
    lab.wait_active(owner)
    listener = {"loadbalancer_id": owner, "protocol": "HTTP", "protocol_port": 80}
    listener |= {"default_pool_id": pool_id, "insert_headers": {"X-Forwarded-For": "true"}}
    listener_id = lab.post(f"{LBAAS}/listeners", {"listener": listener})["listener"]["id"]
    lab.wait_active(owner)
    lab.post(f"{LBAAS}/pools/{pool_id}/members", MEMBER)
    lab.wait_active(owner)
    monitor = {"pool_id": pool_id, "type": "HTTP", "delay": 5, "timeout": 3, "max_retries": 3}
    monitor_id = lab.post(f"{LBAAS}/healthmonitors", {"healthmonitor": monitor})["healthmonitor"][
        "id"
    ]
    lab.wait_active(owner)
    (sent,) = worker.updates()[-1]["loadbalancers"]
    assert sent["listeners"][0]["insert_headers"] == {"X-Forwarded-For": True}
    assert sent["pools"][0]["monitor"]["attempts"] == 3
    tree = lab.get(f"{LBAAS}/loadbalancers/{owner}/statuses")["statuses"]["loadbalancer"]
    shown = tree["listeners"][0]["pools"][0]["health_monitor"]
    assert (shown["id"], shown["operating_status"]) == (monitor_id, "ONLINE")
    assert "pools" not in tree  # whoever counts what Octavia gives finds that, and no more
    lab.delete(f"{LBAAS}/healthmonitors/{monitor_id}")
    lab.wait_active(owner)
    lab.put(f"{LBAAS}/listeners/{listener_id}", {"listener": {"default_pool_id": None}})
    lab.wait_active(owner)
    tree = lab.get(f"{LBAAS}/loadbalancers/{owner}/status")["statuses"]["loadbalancer"]
    assert [pool["id"] for pool in tree["pools"]] == [pool_id]
    lab.delete(f"{LBAAS}/pools/{pool_id}")
    lab.wait_active(owner)
    lab.delete(f"{LBAAS}/listeners/{listener_id}")
    lab.wait_active(owner)
    assert worker.updates()[-1]["loadbalancers"][0]["listeners"] == []
    assert runs_as_stored(lab, worker)


def test_a_batch_replaces_members_and_an_equal_one_touches_nothing(
    lab: ControlLab, worker: ThreadWorker
) -> None:
    created = lab.create()
    path = f"{LBAAS}/pools/{created['pools'][0]['id']}/members"
    wanted = [{"address": "10.0.0.1", "protocol_port": 80, "weight": 3}]
    wanted.append({"address": "10.0.0.9", "protocol_port": 80})
    lab.put(path, {"members": wanted}, 202)
    lab.wait_active(created["id"])
    found = {item["address"]: item["weight"] for item in lab.get(path)["members"]}
    assert found == {"10.0.0.1": 3, "10.0.0.9": 1}
    before = len(worker.updates())
    lab.put(path, {"members": wanted}, 202)
    assert lab.show(created["id"])["provisioning_status"] == "ACTIVE"
    more = {"members": [{"address": "10.0.0.7", "protocol_port": 80}]}
    lab.put(f"{path}?additive_only=true", more, 202)
    lab.wait_active(created["id"])
    assert len(lab.get(path)["members"]) == 3
    assert len(worker.updates()) == before + 1
    lab.put(path, {"members": [wanted[0], wanted[0]]}, 400)
    lab.put(path, {"members": []}, 202)
    lab.wait_active(created["id"])
    assert lab.get(path)["members"] == []


def test_one_bad_load_balancer_does_not_hurt_the_others(
    lab: ControlLab, worker: ThreadWorker
) -> None:
    good = lab.create("good")
    worker.refuse = '"name": "bad"'
    given = {"name": "bad", "vip_subnet_id": "default", **whole()}
    bad = lab.post(f"{LBAAS}/loadbalancers", {"loadbalancer": given})["loadbalancer"]
    lab.wait_status(bad["id"], "ERROR")
    events = lab.get("/v1/events", kind="loadbalancer.error")["events"]
    assert "cannot do that" in events[0]["reason"]
    member = lab.post(f"{LBAAS}/pools/{good['pools'][0]['id']}/members", MEMBER)["member"]
    lab.wait_active(good["id"])
    sent = worker.updates()[-1]["loadbalancers"]
    assert member["id"] in str(sent)
    running = worker.controller.handle({"hpcs_action": "STATS"})["loadbalancers"]
    assert [item["id"] for item in running] == [good["id"]]
    worker.refuse = None  # and then it is repaired without anybody's help
    lab.wait_active(bad["id"])
    assert runs_as_stored(lab, worker)


def test_an_update_of_two_is_split_where_it_is_refused(
    lab: ControlLab, worker: ThreadWorker
) -> None:
    """Both are stored before the worker answers anything."""
    held = [lab.create(f"lb{n}") for n in range(2)]
    worker.mute = True
    worker.refuse = '"name": "bad"'
    for item, name in zip(held, ("fine", "bad"), strict=True):
        lab.put(f"{LBAAS}/loadbalancers/{item['id']}", {"loadbalancer": {"name": name}})
    worker.mute = False
    worker.close()
    again = ThreadWorker("web1", lab.server.port, refuse='"name": "bad"')
    try:
        lab.wait_active(held[0]["id"])
        lab.wait_status(held[1]["id"], "ERROR")
        names = {item["name"] for item in again.updates()[-1]["loadbalancers"]}
        assert "fine" in names
    finally:
        again.close()


def test_no_answer_ends_in_error_and_is_repaired(tmp_path: Path) -> None:
    with control_lab(tmp_path, job_deadline_seconds=1) as lab:
        worker = lab.worker()
        created = lab.create()
        worker.close()
        lab.put(f"{LBAAS}/loadbalancers/{created['id']}", {"loadbalancer": {"name": "new"}})
        lab.client.put(f"{LBAAS}/loadbalancers/{created['id']}", json={"loadbalancer": {}})
        lab.wait_status(created["id"], "ERROR")
        states = {job["state"] for job in lab.get("/v1/jobs")["jobs"]}
        assert "expired" in states
        again = ThreadWorker("web1", lab.server.port)
        try:
            lab.wait_active(created["id"])
            assert lab.show(created["id"])["name"] == "new"
            assert runs_as_stored(lab, again)
        finally:
            again.close()


def test_a_job_waits_for_a_worker_and_can_be_held(lab: ControlLab, worker: ThreadWorker) -> None:
    created = lab.create()
    worker.close()
    lab.put(f"{LBAAS}/loadbalancers/{created['id']}", {"loadbalancer": {"name": "new"}})
    lab.wait(lambda: lab.get("/v1/jobs", state="idle")["jobs"], "an idle job")
    (job,) = lab.get("/v1/jobs", state="idle")["jobs"]
    lab.post(f"/v1/jobs/{job['id']}/hold", {}, 200)
    again = ThreadWorker("web1", lab.server.port)
    try:
        lab.wait(lambda: again.messages, "a probe")
        assert again.updates() == []
        lab.post(f"/v1/jobs/{job['id']}/retry", {}, 409)
        lab.post(f"/v1/jobs/{job['id']}/release", {}, 200)
        lab.wait_active(created["id"])
        assert lab.get(f"/v1/jobs/{job['id']}")["job"]["state"] == "complete"
    finally:
        again.close()


def test_a_device_that_forgot_is_told_again(lab: ControlLab, worker: ThreadWorker) -> None:
    lab.create()
    worker.controller.handle({"hpcs_action": "DELETE"})
    lab.wait(lambda: runs_as_stored(lab, worker), "the repair")
    assert lab.get("/v1/events", kind="device.drift")["events"]


def test_a_device_that_is_ahead_is_overtaken(lab: ControlLab, worker: ThreadWorker) -> None:
    """As after a database came back from a backup."""
    lab.create()
    storage = lab.controller.services.storage
    with storage.writing() as unit:
        device = unit.devices.by_name("web1")
        assert device is not None
        state = worker.controller._state
        state.replace(replace(state.current(), generation=device.generation + 50, loadbalancers=()))
    lab.wait(lambda: runs_as_stored(lab, worker), "the repair")


def test_a_controller_that_was_away_brings_all_up_to_date(
    lab: ControlLab, worker: ThreadWorker
) -> None:
    created = lab.create()
    lab.stop_controller()
    worker.controller.handle({"hpcs_action": "DELETE"})
    lab.start_controller()
    lab.client = lab.client_with(lab.secret)
    lab.wait(lambda: runs_as_stored(lab, worker), "the repair")
    assert lab.show(created["id"])["provisioning_status"] == "ACTIVE"


def test_a_lost_device_is_an_error_until_it_answers(lab: ControlLab, worker: ThreadWorker) -> None:
    created = lab.create()

    def state() -> Any:
        return lab.get("/v1/devices/web1")["device"]["state"]

    worker.mute = True
    worker.close()
    lab.wait(lambda: state() == "ERROR", "its loss")
    assert lab.show(created["id"])["operating_status"] == "ERROR"
    given = {"loadbalancer": {"name": "x", "vip_subnet_id": "default"}}
    refused = lab.post(f"{LBAAS}/loadbalancers", given, 503)
    assert refused["faultstring"].startswith("cannot place it: no device is ready")
    again = ThreadWorker("web1", lab.server.port)
    try:
        lab.wait(lambda: state() in READY, "its return")
        lab.wait(lambda: lab.show(created["id"])["operating_status"] == "ONLINE", "its status")
    finally:
        again.close()


def test_load_balancers_go_where_fewest_are(lab: ControlLab) -> None:
    workers = [lab.worker(f"web{n}") for n in range(3)]
    created = [lab.create(f"lb{n}") for n in range(6)]
    assert len({item["vip_address"] for item in created}) == 6
    counts = [item["loadbalancers"] for item in lab.get("/v1/devices")["devices"]]
    assert counts == [2, 2, 2]
    assert all(runs_as_stored(lab, worker) for worker in workers)
    lab.delete(f"/v1/devices/{workers[0].name}", 409)


def test_archives_are_jobs_whose_tokens_are_nobody_elses(
    lab: ControlLab, worker: ThreadWorker
) -> None:
    created = lab.create()
    body = {"object_store_endpoint": "http://127.0.0.1:1/v1/a", "object_store_basepath": "logs"}
    job = lab.post(
        f"/v1/loadbalancers/{created['id']}/logs", {**body, "auth_token": "open-sesame"}, 202
    )
    key = job["job"]["id"]
    lab.wait(lambda: lab.get(f"/v1/jobs/{key}")["job"]["state"] == "failed", "its end")
    shown = lab.get(f"/v1/jobs/{key}")["job"]
    assert "cannot archive" in shown["error"]
    assert "sesame" not in str(shown)
    assert any(m.get("hpcs_object_store_token") == "open-sesame" for m in worker.messages)
    assert b"sesame" not in b"".join(path.read_bytes() for path in lab.directory.glob("libra.db*"))


def test_a_job_waits_for_its_turn(lab: ControlLab, worker: ThreadWorker) -> None:
    created = lab.create()
    worker.mute = True
    path = f"{LBAAS}/loadbalancers/{created['id']}/failover"
    lab.put(path, {}, 202)
    lab.wait(lambda: lab.get("/v1/jobs", state="running")["jobs"], "one under way")
    device = lab.get("/v1/devices/web1")["device"]["id"]
    with lab.controller.services.storage.writing() as unit:
        waiting = build_job(replace(build_device(), id=device), deadline=at(10**9), alone=True)
        unit.jobs.add(waiting)

    def state() -> str:
        return str(lab.get(f"/v1/jobs/{waiting.id}")["job"]["state"])

    assert state() == "new"
    lab.wait(lambda: state() == "scheduled", "its turn to be known")
    lab.post(f"/v1/jobs/{waiting.id}/cancel", {}, 200)
    assert state() == "cancelled"


def test_of_probes_the_newest_is_kept(lab: ControlLab, worker: ThreadWorker) -> None:
    def probes() -> dict[str, dict[str, Any]]:
        jobs = lab.get("/v1/jobs", device="web1", requested_by="manager")["jobs"]
        assert len(jobs) <= 2, jobs
        return {job["action"]: job for job in jobs}

    lab.wait(lambda: len(probes()) == 2, "records")
    before = probes()["STATS"]
    assert before["state"] == "complete"
    whole = lab.get(f"/v1/jobs/{before['id']}")["job"]
    assert json.loads(whole["message"]) == {"hpcs_action": "STATS"}
    assert "PASS" in whole["reply"]
    lab.wait(lambda: probes()["STATS"]["updated_at"] > before["updated_at"], "the next one")
    assert probes()["STATS"]["id"] == before["id"]
    worker.mute = True
    lab.wait(lambda: probes()["STATS"]["state"] in ("expired", "failed"), "one that failed")
    assert probes()["STATS"]["error"]


def test_what_was_sent_and_not_settled_is_sent_again(lab: ControlLab, worker: ThreadWorker) -> None:
    """As where a controller died in between; the worker answers PASS for what it runs already."""
    created = lab.create()
    lab.stop_controller()
    with migrated(lab.settings.database.url) as storage, storage.writing() as unit:
        (job,) = unit.jobs.find(Query(where={"action": JobAction.UPDATE}))
        unit.jobs.replace(replace(job, state=JobState.RUNNING))
        owner = unit.loadbalancers.get(created["id"])
        assert owner is not None
        pending = ProvisioningStatus.PENDING_UPDATE
        unit.loadbalancers.replace(replace(owner, provisioning_status=pending))
    lab.start_controller()
    lab.client = lab.client_with(lab.secret)
    lab.wait_active(created["id"])


def test_an_unknown_load_balancer(lab: ControlLab) -> None:
    assert "not found" in lab.get(f"{LBAAS}/loadbalancers/{new_id()}", 404)["faultstring"]


def test_of_two_controllers_on_one_database_one_manages(
    lab: ControlLab, worker: ThreadWorker
) -> None:
    other = Controller(lab.settings, api_port=0)
    other.start()
    try:
        lab.wait(lambda: other.manages is False, "the other one to stand by")
        assert not other.beats.hung()
        assert lab.controller.manages
        first = lab.create("first")
        assert len(worker.updates()) == 1
        lab.controller.stop()
        lab.wait(lambda: other.manages, "the other one to manage")
        lab.controller = other
        lab.client = lab.client_with(lab.secret)
        lab.create("second", **whole(8081))
        assert lab.show(first["id"])["provisioning_status"] == "ACTIVE"
    finally:
        other.stop()
