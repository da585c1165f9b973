"""Spares are booted on this host, take over, and are destroyed. Real API, manager, job server and worker processes."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from libra.providers.local import create_provider
from tests.support.control import ControlLab, control_lab
from tests.support.haproxy import socket_directory

__all__ = ["socket_directory"]

Json = dict[str, Any]


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


def devices(lab: ControlLab) -> dict[str, Json]:
    return {item["name"]: item for item in lab.get("/v1/devices")["devices"]}


def states(lab: ControlLab) -> list[str]:
    return sorted(item["state"] for item in devices(lab).values())


def make_pool(lab: ControlLab, **fields: Any) -> None:
    lab.post("/v1/device-pools", {"name": "edge", "provider": "local", "min_spare": 2, **fields})


def test_spares_are_built_take_over_and_are_destroyed(lab: ControlLab) -> None:
    make_pool(lab)
    lab.wait(lambda: states(lab) == ["SPARE", "SPARE"], "two spares")
    made = lab.create()
    lab.wait(lambda: states(lab) == ["ASSIGNED", "SPARE", "SPARE"], "another spare")
    holder = next(name for name, item in devices(lab).items() if item["state"] == "ASSIGNED")
    lock = lab.settings.providers.local_dir / holder / "state" / "worker.lock"
    os.kill(int(lock.read_text()), signal.SIGKILL)
    lab.wait(lambda: devices(lab)[holder]["state"] == "ERROR", "its loss")
    lab.wait(lambda: devices(lab)[holder]["loadbalancers"] == 0, "the failover")
    lab.wait_active(made["id"])
    lab.wait(lambda: states(lab) == ["ASSIGNED", "ERROR", "SPARE", "SPARE"], "the next spare")
    lab.post(f"/v1/devices/{holder}/retire", {}, 202)
    lab.wait(lambda: holder not in devices(lab), "its end")
    assert not (lab.settings.providers.local_dir / holder).exists()
    kinds = [item["kind"] for item in lab.get("/v1/events", limit=1000)["events"]]
    for kind in ("device.building", "device.spare", "device.retired", "device.destroyed"):
        assert kind in kinds


def test_boots_that_fail_are_told_and_tried_ever_more_rarely(lab: ControlLab) -> None:
    lab.settings.providers.local_dir.write_text("in the way")
    make_pool(lab, min_spare=1)
    lab.wait(lambda: states(lab) == ["ERROR"], "the failure")
    (failed,) = devices(lab).values()
    assert failed["reason"].startswith("cannot write into ")
    kinds = [item["kind"] for item in lab.get("/v1/events", limit=1000)["events"]]
    assert kinds.count("device.building") == 1
    assert kinds.count("devicepool.boot_failed") == 1
    (told,) = lab.get("/failures/boot.json")["clouds"]
    assert (told["cloud"], told["reason"]) == ("edge", failed["reason"])
    (told,) = lab.get("/failures/image.json")["never_online"]
    assert (told["vm"], told["reason"]) == (failed["name"], failed["reason"])


def test_a_provider_that_there_is_not(lab: ControlLab) -> None:
    make_pool(lab, provider="cloud")
    lab.worker("web1")
    lab.create()
    assert set(devices(lab)) == {"web1"}
    lab.wait(lambda: lab.get("/failures/boot.json")["clouds"], "what is told of it")
    (told,) = lab.get("/failures/boot.json")["clouds"]
    assert "cannot load" in told["reason"]
    told = [item["kind"] for item in lab.get("/v1/events", limit=1000)["events"]]
    assert told.count("devicepool.boot_failed") == 1
