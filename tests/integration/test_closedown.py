"""Devices of this host go with a clean stop of the last controller, and come back with the next start."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from libra.cmd.controlling import Controller
from libra.config.values import replaced
from libra.providers.local import LocalProvider, create_provider
from tests.support.control import LBAAS, ControlLab, control_lab
from tests.support.haproxy import socket_directory
from tests.support.ports import accepts, free_port, wait_until
from tests.support.up import is_served
from tests.support.web import WebServer

__all__ = ["socket_directory"]

Json = dict[str, Any]
MANY = 6  # a shutdown of twenty by command is tried elsewhere
WAIT = 120.0


@pytest.fixture
def lab(socket_directory: Path) -> Iterator[ControlLab]:
    with control_lab(socket_directory, probe_seconds=0.3, probe_deadline_seconds=1) as lab:
        try:
            yield lab
        finally:
            lab.stop_controller()
            # Those that were just being booted again come when it has ended.
            wait_for(lambda: not boots() and not shut_down_all(lab), "the end of all workers")


def boots() -> list[str]:
    """The threads that are at it."""
    return [item.name for item in threading.enumerate() if item.name.startswith("boot_")]


def shut_down_all(lab: ControlLab) -> list[str]:
    """The processes that are left."""
    for pool in ("edge", "default"):
        provider = create_provider(lab.settings, pool)
        for host in provider.list():
            provider.shutdown(host.name)
    return processes(lab.settings.providers.local_dir)


def restart(lab: ControlLab) -> None:
    lab.start_controller()
    lab.client = lab.client_with(lab.secret)


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Worker processes take their time to start."""
    wait_until(condition, timeout=WAIT, what=what)


def devices(lab: ControlLab) -> dict[str, Json]:
    return {item["name"]: item for item in lab.get("/v1/devices", limit=1000)["devices"]}


def states(lab: ControlLab) -> list[str]:
    return sorted(item["state"] for item in devices(lab).values())


def make_pool(lab: ControlLab, spare: int) -> None:
    lab.post("/v1/device-pools", {"name": "edge", "provider": "local", "min_spare": spare})


def processes(directory: Path) -> list[str]:
    """Whatever has a path below the directory in its words, or works in it."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and int(path.name) != os.getpid():
            try:
                words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if f"{directory}/" in words:
                found.append(words)
    return found


def kinds(lab: ControlLab) -> list[str]:
    return [item["kind"] for item in lab.get("/v1/events", limit=1000)["events"]]


def test_they_go_with_a_stop_and_come_back_with_what_they_had(lab: ControlLab) -> None:
    make_pool(lab, 1)
    wait_for(lambda: states(lab) == ["SPARE"], "a spare")
    made = lab.create()
    wait_for(lambda: states(lab) == ["ASSIGNED", "SPARE"], "another spare")
    before = {name: item["id"] for name, item in devices(lab).items()}
    said: list[str] = []
    lab.controller.stop(progress=lambda what, _seconds: said.append(what))
    local = lab.settings.providers.local_dir
    assert (processes(local), list(local.iterdir())) == ([], [])
    assert said[0] == "destroyed 0 of 2 devices"
    restart(lab)
    wait_for(lambda: kinds(lab).count("device.booted") == 2, "both again")
    assert {name: item["id"] for name, item in devices(lab).items()} == before
    wait_for(lambda: states(lab) == ["ASSIGNED", "SPARE"], "as it was")
    holder = next(name for name, item in devices(lab).items() if item["loadbalancers"])
    saved = (local / holder / "state" / "desired.json").read_text()
    assert made["id"] in saved
    assert lab.show(made["id"])["provisioning_status"] == "ACTIVE"
    assert not {"device.error", "device.failover", "device.drift"} & set(kinds(lab))


def test_a_change_that_was_accepted_and_not_sent_is_what_comes_back(lab: ControlLab) -> None:
    make_pool(lab, 1)
    wait_for(lambda: states(lab) == ["SPARE"], "a spare")
    made = lab.create()
    holder = next(name for name, item in devices(lab).items() if item["loadbalancers"])
    pid = int((lab.settings.providers.local_dir / holder / "state" / "worker.lock").read_text())
    os.kill(pid, signal.SIGSTOP)  # it answers nothing any more
    path = f"/load-balancer/v2.0/lbaas/loadbalancers/{made['id']}"
    lab.put(path, {"loadbalancer": {"admin_state_up": False}})
    os.kill(pid, signal.SIGCONT)
    lab.controller.stop()
    restart(lab)
    wait_for(lambda: "device.booted" in kinds(lab), "the device")
    wait_for(lambda: lab.show(made["id"])["provisioning_status"] == "ACTIVE", "the change")
    assert lab.show(made["id"])["admin_state_up"] is False


@pytest.mark.parametrize("way", ["setting", "order"])
def test_they_are_left_running(lab: ControlLab, way: str) -> None:
    make_pool(lab, 1)
    wait_for(lambda: states(lab) == ["SPARE"], "a spare")
    if way == "setting":
        lab.controller.keep_devices = True
    else:
        response = lab.client.post("/", params={"action": "quick_shutdown"})
        assert response.text == "stops, and leaves all devices running\n"
        assert "controller.quick_shutdown" in kinds(lab)
    ensure_left(lab)


def test_they_are_left_to_another_controller(lab: ControlLab) -> None:
    make_pool(lab, 1)
    wait_for(lambda: states(lab) == ["SPARE"], "a spare")
    other = Controller(lab.settings, api_port=0)
    other.keep_devices = True
    other.start()
    try:
        ensure_left(lab)
    finally:
        other.stop()


def ensure_left(lab: ControlLab) -> None:
    """After a stop, and the next start."""
    lab.controller.stop()
    assert len(create_provider(lab.settings, "edge").list()) == 1
    restart(lab)
    wait_for(lambda: states(lab) == ["SPARE"], "the same")
    assert "device.stopped" not in kinds(lab)
    assert kinds(lab).count("device.building") == 1


def test_whoever_has_no_patience_finds_them_again(
    lab: ControlLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pool(lab, 1)
    wait_for(lambda: states(lab) == ["SPARE"], "a spare")
    begun, hold = threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        begun.set()
        hold.wait(WAIT)

    monkeypatch.setattr(LocalProvider, "shutdown", hang)
    asked: list[float] = []

    def none(seconds: float) -> bool:
        asked.append(seconds)
        return not begun.wait(seconds)

    lab.controller.stop(none)
    assert asked
    hold.set()
    monkeypatch.undo()
    restart(lab)
    wait_for(lambda: "device.booted" in kinds(lab), "the device")
    wait_for(lambda: states(lab) == ["SPARE"], "it is as before")


def test_one_that_cannot_be_booted_again_is_given_up(
    lab: ControlLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    from libra.manager import pauses

    monkeypatch.setattr(pauses, "FIRST_PAUSE", pauses.FIRST_PAUSE / 100)
    make_pool(lab, 1)
    wait_for(lambda: states(lab) == ["SPARE"], "a spare")
    (first,) = devices(lab)
    lab.controller.stop()
    (lab.settings.providers.local_dir / first).write_text("in the way")
    restart(lab)
    wait_for(lambda: "ERROR" in states(lab), "its loss")
    wait_for(lambda: states(lab) == ["ERROR", "SPARE"], "another one")


def test_traffic_comes_back_with_them(lab: ControlLab) -> None:
    """Real HAProxies, and a web cluster beside a load balancer."""
    lab.stop_controller()
    providers = replaced(lab.settings.providers, local_driver="haproxy")
    lab.settings = replaced(lab.settings, providers=providers)
    restart(lab)
    port, web_port = free_port(), free_port()
    lab.put("/v1/device-pools/default", {"provider": "local", "min_spare": 2})
    wait_for(lambda: states(lab) == ["SPARE", "SPARE"], "two spares")
    with WebServer("one") as server:
        made = lab.post(f"{LBAAS}/loadbalancers", {"loadbalancer": balancer(server, port)})
        key, address = made["loadbalancer"]["id"], made["loadbalancer"]["vip_address"]
        wait_for(lambda: is_served(address, port), "traffic")
        holder, *_ = (name for name, item in devices(lab).items() if not item["loadbalancers"])
        start_cluster(lab, holder, web_port)
        wait_for(lambda: accepts(web_port), "the web cluster")
        wait_for(lambda: cluster(lab)["status"] == "RUNNING", "its status")
        lab.controller.stop()
        local = lab.settings.providers.local_dir
        assert (processes(local), list(local.iterdir())) == ([], [])
        assert not is_served(address, port)
        restart(lab)
        wait_for(lambda: is_served(address, port), "traffic again")
        wait_for(lambda: accepts(web_port), "the web cluster again")
        wait_for(lambda: kinds(lab).count("device.booted") >= 2, "all of them")
        assert lab.show(key)["provisioning_status"] == "ACTIVE"
        wait_for(lambda: lab.show(key)["operating_status"] == "ONLINE", "its status again")
        told = kinds(lab)
        assert told.count("on_webcluster_started") == 1
        assert not {"device.error", "device.failover", "on_webcluster_degraded"} & set(told)


def balancer(server: WebServer, port: int) -> Json:
    pool: Json = {"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
    pool["members"] = [{"address": "127.0.0.1", "protocol_port": server.port}]
    listener = {"protocol": "HTTP", "protocol_port": port, "default_pool": pool}
    return {"name": "shop", "vip_subnet_id": "default", "listeners": [listener]}


def start_cluster(lab: ControlLab, node: str, port: int) -> None:
    lab.post("/v1/webclusters", {"name": "site", "tcp_port": port})
    service = {"path": "/", "type": "redirect", "url": "https://old.example/"}
    lab.post("/v1/webclusters/site/services", service)
    lab.post("/v1/webclusters/site/nodes", {"node": node, "standby": False})
    assert lab.client.post("/v1/webclusters/site/start").is_success


def cluster(lab: ControlLab) -> Json:
    found: Json = lab.get("/v1/webclusters/site")["webcluster"]
    return found


def test_many_are_destroyed_and_nothing_is_left(lab: ControlLab) -> None:
    make_pool(lab, MANY)
    wait_for(lambda: states(lab) == ["SPARE"] * MANY, "the spares")
    said: list[str] = []
    lab.controller.stop(progress=lambda what, _seconds: said.append(what))
    local = lab.settings.providers.local_dir
    assert (processes(local), list(local.iterdir())) == ([], [])
    assert len(set(said)) > 1
    restart(lab)
    assert len(devices(lab)) == MANY
    lab.controller.keep_devices = True  # to boot them all again would take long
    lab.stop_controller()
