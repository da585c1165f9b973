"""Workers that say that they are there become devices. Real API, manager and job server."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from libra.jobs.gearman import GearmanJobClient
from libra.messages.announcement import Announcement, build_announcement
from libra.worker.announcer import Announcer
from tests.support.control import ControlLab, ThreadWorker, control_lab
from tests.support.gearmand import Gearmand, read_admin
from tests.support.jobservers import settings_for

Json = dict[str, Any]
FUNCTION = "libra-controller"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ControlLab]:
    with control_lab(tmp_path) as lab:
        yield lab


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def announce(lab: ControlLab, **told: Any) -> None:
    client = GearmanJobClient(settings_for(lab.server.port))
    try:
        payload = build_announcement(Announcement(**told))
        client.leave(FUNCTION, payload, unique=told["name"], timeout=5.0)
    finally:
        client.close()


def devices(lab: ControlLab) -> dict[str, Json]:
    return {item["name"]: item for item in lab.get("/v1/devices")["devices"]}


def events(lab: ControlLab, key: str) -> list[str]:
    found = lab.get("/v1/events", subject_id=key, limit=1000)["events"]
    return [item["kind"] for item in found]


def test_an_unknown_one_waits_for_approval(lab: ControlLab, closing: ExitStack) -> None:
    worker = ThreadWorker("new1", lab.server.port)
    closing.callback(worker.close)
    announce(lab, name="new1", address="10.0.0.7", release="9.9", proxy="HAProxy 2.6", started=5.0)
    lab.wait(lambda: "new1" in devices(lab), "the device")
    shown = devices(lab)["new1"]
    assert (shown["state"], shown["address"], shown["release"]) == ("ANNOUNCED", "10.0.0.7", "9.9")
    assert shown["started_at"] == "1970-01-01T00:00:05.000000"
    assert not worker.messages
    lab.post("/v1/devices/new1/approve", {}, 202)
    lab.wait(lambda: devices(lab)["new1"]["state"] == "SPARE", "its first answer")
    assert events(lab, shown["id"])[:2] == ["device.announced", "device.approved"]


def test_one_that_is_added_by_hand_is_approved(lab: ControlLab) -> None:
    announce(lab, name="new1", address="10.0.0.7")
    lab.wait(lambda: "new1" in devices(lab), "the device")
    added = lab.post("/v1/devices", {"name": "new1"})["device"]
    assert (added["state"], added["address"]) == ("BUILDING", "10.0.0.7")
    lab.post("/v1/devices", {"name": "new1"}, 409)


def test_a_pool_may_enrol_by_itself(lab: ControlLab, closing: ExitStack) -> None:
    lab.post("/v1/device-pools", {"name": "edge", "auto_enroll": True})
    closing.callback(ThreadWorker("edge1", lab.server.port).close)
    announce(lab, name="edge1", address="10.0.0.8", pool="edge")
    lab.wait(lambda: devices(lab).get("edge1", {}).get("state") == "SPARE", "the device")
    assert devices(lab)["edge1"]["pool"] == "edge"
    assert lab.get("/v1/device-pools/edge")["device_pool"]["spare"] == 1


def test_a_pool_that_there_is_not_is_no_way_in(lab: ControlLab) -> None:
    lab.put("/v1/device-pools/default", {"auto_enroll": True})
    announce(lab, name="lost1", pool="nowhere")
    lab.wait(lambda: "lost1" in devices(lab), "the device")
    assert devices(lab)["lost1"]["state"] == "ANNOUNCED"
    assert devices(lab)["lost1"]["pool"] == "default"


def test_a_known_one_keeps_its_address_and_a_restart_is_told(lab: ControlLab) -> None:
    lab.worker("web1", "10.0.0.1")
    key = devices(lab)["web1"]["id"]
    for started in (5.0, 5.0, 6.0):
        announce(lab, name="web1", address="6.6.6.6", started=started)
    lab.wait(lambda: "device.restarted" in events(lab, key), "the event")
    announce(lab, name="last")
    lab.wait(lambda: "last" in devices(lab), "the last one")
    assert events(lab, key).count("device.restarted") == 1
    assert devices(lab)["web1"]["address"] == "10.0.0.1"


def test_what_is_none_is_dropped(lab: ControlLab) -> None:
    client = GearmanJobClient(settings_for(lab.server.port))
    try:
        for number, payload in enumerate((b"", b"\xff", b"[]", b'{"libra_announcement": "1.0"}')):
            client.leave(FUNCTION, payload, unique=str(number), timeout=5.0)
    finally:
        client.close()
    announce(lab, name="good1")
    lab.wait(lambda: "good1" in devices(lab), "the good one")
    assert set(devices(lab)) == {"good1"}


def test_while_no_controller_is_there_one_waits_for_each_worker(closing: ExitStack) -> None:
    server = closing.enter_context(Gearmand())
    client = GearmanJobClient(settings_for(server.port))
    closing.callback(client.close)
    for _ in range(5):
        for name in ("w1", "w2"):
            client.leave(FUNCTION, b"{}", unique=name, timeout=5.0)
    assert read_admin(server.port, "status")[FUNCTION.encode()][0] == b"2"


def test_it_is_said_again_and_sooner_after_a_fault() -> None:
    sent: list[str] = []
    enough = threading.Event()

    def send(name: str, _payload: bytes) -> None:
        sent.append(name)
        if len(sent) == 1:
            raise OSError("something unexpected")
        enough.set()

    announcer = Announcer(lambda: Announcement(name="w1"), send)
    announcer.start()
    announcer.start()
    try:
        assert enough.wait(10.0)
    finally:
        announcer.stop()
    assert sent == ["w1", "w1"]
