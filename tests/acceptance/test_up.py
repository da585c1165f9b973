"""`libra up` as a process: there again after a stop, whole after its children were killed."""

import json
import os
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import Authority, Certificate
from tests.support.haproxy import socket_directory
from tests.support.ports import free_port, wait_until
from tests.support.up import LIBRA, WAIT, Fleet, fleet_in, is_served
from tests.support.web import WebServer, get

__all__ = ["socket_directory"]


@pytest.fixture
def fleet(socket_directory: Path) -> Iterator[Fleet]:
    with fleet_in(socket_directory) as fleet:
        yield fleet


def create(fleet: Fleet, server: WebServer, port: int) -> Any:
    pool = {"name": "web", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
    pool["members"] = [{"address": "127.0.0.1", "protocol_port": server.port}]  # type: ignore[assignment]
    listeners = [{"protocol": "HTTP", "protocol_port": port, "default_pool": pool}]
    fields = ["name=shop", "vip_subnet_id=default", f"listeners={json.dumps(listeners)}"]
    return fleet.json("lb", "create", *fields, "--wait")


@pytest.mark.usefixtures("started_alone")
def test_from_nothing_to_traffic_and_back_after_a_stop(fleet: Fleet) -> None:
    port = free_port()
    with WebServer("one") as server:
        fleet.start()
        made = create(fleet, server, port)
        assert get(port, host=made["vip_address"]) == (200, "one")
        assert (fleet.directory / "admin-token").stat().st_mode & 0o077 == 0
        second = subprocess.run(
            [str(LIBRA), "up", "--state-dir", str(fleet.directory)],
            capture_output=True,
            text=True,
            timeout=WAIT,
        )
        assert second.returncode == 1
        assert "it is held by a running process" in second.stderr
        assert fleet.stop() == 0
        assert fleet.pids("haproxy") == fleet.pids("libra.cmd.worker") == []
        assert not is_served(made["vip_address"], port)
        fleet.start()
        wait_until(lambda: is_served(made["vip_address"], port), timeout=WAIT, what="traffic")
        assert fleet.json("lb", "show", "shop")["id"] == made["id"]
        assert "it has listeners or pools" in fleet.run("lb", "delete", "shop", status=1)
        fleet.run("lb", "delete", "shop", "--cascade", "--wait")
        assert fleet.json("lb", "list") == []
        assert fleet.stop() == 0


def test_children_that_are_killed_come_back(fleet: Fleet) -> None:
    port = free_port()
    with WebServer("one") as server:
        fleet.start()
        made = create(fleet, server, port)
        (worker,) = fleet.pids("libra.cmd.worker")
        os.kill(worker, signal.SIGKILL)
        assert is_served(made["vip_address"], port)
        wait_until(lambda: fleet.pids("libra.cmd.worker") not in ([], [worker]), timeout=WAIT)
        pool = fleet.json("pool", "show", "web")["id"]
        fleet.run(
            "member", "create", "--pool", pool, "address=127.0.0.1", "protocol_port=1", "--wait"
        )
        for pid in fleet.pids("haproxy"):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: is_served(made["vip_address"], port), timeout=WAIT, what="traffic")
        assert fleet.stop() == 0


def test_a_controller_that_is_killed_leaves_traffic_and_comes_back(fleet: Fleet) -> None:
    port = free_port()
    with WebServer("one") as server:
        fleet.start()
        made = create(fleet, server, port)
        assert fleet.process is not None
        fleet.process.kill()
        fleet.process.wait()
        assert fleet.process.stdout is not None
        fleet.process.stdout.close()
        assert is_served(made["vip_address"], port)
        fleet.start()
        assert fleet.json("lb", "show", "shop")["provisioning_status"] == "ACTIVE"
        fleet.run("lb", "set", "shop", "description=again", "--wait")
        assert is_served(made["vip_address"], port)
        assert fleet.stop() == 0


def test_jobs_are_steered_by_hand(fleet: Fleet) -> None:
    """Those of a device whose worker is not there."""
    fleet.start()
    fleet.run("admin", "log-level", "debug")
    assert fleet.json("admin", "reconfig") == {"changed": [], "needs_restart": []}
    fleet.run("device", "create", "name=ghost", "address=192.0.2.1")
    job = fleet.json("device", "discover", "ghost")["id"]

    def state() -> str:
        return str(fleet.json("job", "show", job)["state"])

    wait_until(lambda: state() == "idle", timeout=WAIT, what="no worker")
    assert fleet.json("job", "hold", job)["state"] == "held"
    assert fleet.json("job", "list", "state=held", "device=ghost")[0]["id"] == job
    assert "while it is held" in fleet.run("job", "hold", job, status=1)
    fleet.run("job", "release", job)
    wait_until(lambda: state() == "idle", timeout=WAIT, what="no worker again")
    assert "is cancelled" in fleet.run("job", "cancel", job, "--wait", status=1)
    assert fleet.json("job", "retry", job)["state"] == "new"
    answer = fleet.json("device", "discover", "local", "--wait")
    assert (answer["state"], "haproxy" in answer["reply"]) == ("complete", True)
    assert "sessions" not in fleet.run("job", "list", "action=DISCOVER")
    assert fleet.stop() == 0


def test_tokens_by_hand(fleet: Fleet) -> None:
    fleet.start()
    assert "cannot find 'admn'" in fleet.run("token", "revoke", "admn", status=1)
    fleet.run("token", "create", "name=ops", "role=operator")
    fleet.run("token", "create", "name=old", "role=reader")
    fleet.run("token", "revoke", "ops")
    fleet.run("token", "delete", "old")
    revoked = {item["name"]: item["revoked_at"] is not None for item in fleet.json("token", "list")}
    assert revoked == {"admin": False, "ops": True, "old": True}
    assert fleet.stop() == 0


def test_a_certificate_by_hand(fleet: Fleet, tmp_path: Path) -> None:
    """Kept, used by a listener that ends TLS, renewed; its key is never shown."""
    authority = Authority(tmp_path)
    one, two = (authority.issue(name, names="DNS:shop.example.com") for name in ("one", "two"))
    port = free_port()
    with WebServer("one") as server:
        fleet.start()
        assert "give --certificate" in fleet.run("certificate", "create", "shop", status=2)
        made = fleet.json(*("certificate", "create", "shop"), *files(one))
        assert made["names"] == ["shop.example.com"]
        pool = {"name": "web", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
        pool["members"] = [{"address": "127.0.0.1", "protocol_port": server.port}]  # type: ignore[assignment]
        listener = {"protocol": "TERMINATED_HTTPS", "protocol_port": port, "default_pool": pool}
        listener["default_tls_container_ref"] = made["id"]
        fields = ["name=shop", "vip_subnet_id=default", f"listeners={json.dumps([listener])}"]
        address = fleet.json("lb", "create", *fields, "--wait")["vip_address"]
        assert shown(address, port) == one.cert.read_text()
        fleet.run(*("secret", "replace", "shop"), *files(two))  # another name of the same
        wait_until(
            lambda: shown(address, port) == two.cert.read_text(), timeout=WAIT, what="the new one"
        )
        assert "PRIVATE KEY" not in fleet.run("certificate", "show", "shop")
        assert "uses it" in fleet.run("certificate", "delete", "shop", status=1)
        assert fleet.stop() == 0


def files(issued: Certificate) -> list[str]:
    return ["--certificate", str(issued.cert), "--key", str(issued.key)]


def shown(address: str, port: int) -> str:
    return ssl.get_server_certificate((address, port))


def test_what_cannot_be(fleet: Fleet, tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    done = subprocess.run(
        [str(LIBRA), "up", "--state-dir", str(deep)], capture_output=True, text=True, timeout=WAIT
    )
    assert done.returncode == 2
    assert "choose a shorter --state-dir" in done.stderr
    started = time.monotonic()
    refused = fleet.run("lb", "list", status=2)
    assert "cannot read the token" in refused
    token = tmp_path / "token"
    token.write_text("x")
    nobody = fleet.run("lb", "list", "--token-file", str(token), status=3)
    assert "cannot reach the API" in nobody
    assert time.monotonic() - started < WAIT
