"""`libra simulate` as a process: a fleet that a real job server and a controller take for one."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from libra.jobs.gearman import GearmanJobClient
from libra.messages.codec import decode, encode
from tests.support.control import ControlLab
from tests.support.gearmand import Gearmand, read_admin
from tests.support.jobservers import settings_for
from tests.support.ports import free_port, wait_until
from tests.support.up import LIBRA

WAIT = 60.0


@contextmanager
def simulating(log: Path, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [LIBRA, "simulate", *arguments], stdout=output, stderr=output, stdin=subprocess.DEVNULL
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(WAIT)


def ask(port: int, name: str, action: str, timeout: float = WAIT) -> dict[str, object]:
    client = GearmanJobClient(settings_for(port))
    try:
        payload = encode({"hpcs_action": action})
        return decode(client.submit(name, payload, timeout=timeout))
    finally:
        client.close()


def test_all_answer_and_are_gone_with_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Gearmand() as server:
        address = f"127.0.0.1:{server.port}"
        options = ("--devices", "120", "-s", address, "--processes", "2")
        with simulating(log, *options) as process:
            wait_until(lambda: "all 120 are registered" in log.read_text(), timeout=WAIT)
            for name in ("sim000", "sim119"):
                reply = ask(server.port, name, "DISCOVER")
                assert (reply["hpcs_response"], reply["proxy"]) == ("PASS", "noop")
            assert ask(server.port, "sim060", "STATS")["hpcs_response"] == "PASS"
            process.kill()  # its processes notice that nobody reads what they say
            wait_until(lambda: _serving(server.port) == 0, timeout=WAIT, what="the end of all")


def _serving(port: int) -> int:
    """Functions that somebody still serves."""
    rows = read_admin(port, "status").items()
    return sum(int(fields[-1]) for name, fields in rows if name.startswith(b"sim"))


def test_faults_come_by_the_schedule_and_the_same_with_the_same_seed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Gearmand() as server:
        what = ["--devices", "20", "--faults", "900", "--fault-seconds", "3", "--seed", "5"]
        planned = subprocess.run(
            [LIBRA, "simulate", *what, "--for", "3", "--plan"],
            check=True,
            capture_output=True,
            text=True,
            timeout=WAIT,
        ).stdout.splitlines()
        assert len(planned) > 5
        with simulating(log, *what, "--for", "6", "-s", f"127.0.0.1:{server.port}") as process:
            assert process.wait(WAIT) == 0
    said = log.read_text().splitlines()
    assert [line for line in said if line in planned] == planned


def test_a_job_server_that_is_not_there_is_told_and_waited_for(tmp_path: Path) -> None:
    log, port = tmp_path / "log", free_port()
    with simulating(log, "--devices", "3", "-s", f"127.0.0.1:{port}") as process:
        told = f"0 of 3 are registered; cannot reach 127.0.0.1:{port}: connection refused"
        wait_until(lambda: told in log.read_text(), timeout=WAIT)
        with Gearmand(port=port):
            wait_until(lambda: "all 3 are registered" in log.read_text(), timeout=WAIT)
            process.send_signal(signal.SIGINT)
            assert process.wait(WAIT) == 0
    assert log.read_text().splitlines()[-1] == "stopped"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ControlLab]:
    lab = ControlLab(tmp_path, f"sqlite:///{tmp_path}/libra.db")
    try:
        yield lab
    finally:
        lab.close()


def freeze(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """Its devices hear and say nothing, as where they are cut off, or they go on."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert children
    for pid in children:
        os.kill(int(pid), number)


def test_where_many_are_cut_off_at_once_nothing_moves(lab: ControlLab, tmp_path: Path) -> None:
    """It is the network then; all is as before once that is back."""
    lab.put("/v1/device-pools/default", {"auto_enroll": True})
    server = ("-s", f"127.0.0.1:{lab.server.port}")

    def states() -> list[str]:
        return sorted(item["state"] for item in lab.get("/v1/devices")["devices"])

    def brake() -> object:
        return lab.get("/v1/device-pools/default")["device_pool"]["brake_reason"]

    def places() -> dict[str, str]:
        owners = lab.get("/v1/jobs", action="UPDATE", limit=1000)["jobs"]
        return {item["loadbalancer_id"]: item["device_name"] for item in owners}

    near = simulating(tmp_path / "near", "--devices", "12", "--name", "near{}", *server)
    far = simulating(tmp_path / "far", "--devices", "8", "--name", "far{}", *server)
    with near, far as cut_off:
        lab.wait(lambda: states() == ["SPARE"] * 20, "the devices")
        for number in range(10):
            lab.create(f"lb{number}")
        before = places()
        assert any(name.startswith("far") for name in before.values())
        freeze(cut_off, signal.SIGSTOP)
        lab.wait(lambda: states().count("ERROR") == 8, "the cut")
        lab.wait(brake, "the brake")
        assert "8 of 20" in str(brake())
        freeze(cut_off, signal.SIGCONT)
        lab.wait(lambda: "ERROR" not in states(), "the network")
        lab.wait(lambda: not brake(), "the brake to be let go")
        assert places() == before
        events = {item["kind"] for item in lab.get("/v1/events", limit=1000)["events"]}
    assert {"devicepool.braked", "devicepool.released"} <= events
    assert "device.failover" not in events


def test_what_cannot_be() -> None:
    for wrong, why in (
        (["--plan"], "give --for SECONDS"),
        (["--name", "sim"], "once, for the number"),
        (["-s", "127.0.0.1:0"], "cannot use the job server"),
        (["--cut", "1.5"], "--cut"),
    ):
        done = subprocess.run(
            [LIBRA, "simulate", *wrong], capture_output=True, text=True, timeout=WAIT, check=False
        )
        assert done.returncode == 2, wrong
        assert why in done.stderr
