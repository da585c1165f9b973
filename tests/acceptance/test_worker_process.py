"""The installed libra-worker at a real gearmand: stopped, killed, cut off, told to read its settings again."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.gearmand import Gearmand, read_admin
from tests.support.ports import free_port, wait_until
from tests.support.programs import find_program
from tests.support.strangers import say, stranger
from tests.support.worker import WAIT, HeldDriver, WorkerProcess

pytestmark = pytest.mark.usefixtures("started_alone")
UPDATE = {
    "loadbalancers": [
        {"id": "15", "protocol": "HTTP", "nodes": [{"address": "10.0.0.1", "port": "80"}]}
    ]
}


@pytest.fixture
def gearmand() -> Iterator[Gearmand]:
    with Gearmand() as server:
        yield server


@pytest.fixture
def held(tmp_path: Path) -> HeldDriver:
    return HeldDriver(tmp_path)


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def held_worker(tmp_path: Path, gearmand: Gearmand, held: HeldDriver) -> WorkerProcess:
    return WorkerProcess(
        tmp_path,
        [gearmand.port],
        path=held.path,
        environ=held.environ,
        worker={"driver": "held"},
    )


def test_a_client_that_knows_nothing_of_libra(tmp_path: Path, gearmand: Gearmand) -> None:
    with WorkerProcess(tmp_path, [gearmand.port]) as worker:
        worker.wait_ready()
        done = subprocess.run(
            [
                find_program("gearman", package="gearman-tools"),
                "-h",
                gearmand.host,
                "-p",
                str(gearmand.port),
                "-f",
                worker.name,
            ],
            input=b'{"HPCS_Action": "discover"}',
            capture_output=True,
            timeout=WAIT,
            check=True,
        )
        reply = json.loads(done.stdout)
        assert reply["HPCS_Action"] == "discover"
        assert (reply["version"], reply["hpcs_response"]) == ("2.0", "PASS")
        assert worker.end() == 0


def test_a_stop_answers_the_running_job(
    tmp_path: Path, gearmand: Gearmand, held: HeldDriver, background: ThreadPoolExecutor
) -> None:
    with held_worker(tmp_path, gearmand, held) as worker:
        worker.wait_ready()
        held.hold()
        update = background.submit(worker.ask, "UPDATE", **UPDATE)
        held.wait_entered()
        worker.send(signal.SIGTERM)
        worker.wait_log("stopping")
        assert not update.done()
        held.let_go()
        assert update.result(WAIT)["hpcs_response"] == "PASS"
        assert worker.process is not None
        assert worker.process.wait(WAIT) == 0
        assert json.loads((worker.state_dir / "desired.json").read_text())


def test_what_is_not_done_in_time_goes_to_the_next_worker(
    tmp_path: Path, gearmand: Gearmand, held: HeldDriver, background: ThreadPoolExecutor
) -> None:
    worker = held_worker(tmp_path, gearmand, held)
    worker.serve(gearmand.port, worker={"drain_seconds": 0.1})
    with worker:
        worker.wait_ready()
        held.hold()
        update = background.submit(worker.ask, "UPDATE", **UPDATE)
        held.wait_entered()
        assert worker.end() == 0
        assert "giving jobs back unanswered" in worker.log
        assert not update.done()
        held.let_go()
        worker.start()
        assert update.result(WAIT)["hpcs_response"] == "PASS"


def test_kill_9_loses_no_job_and_no_state(
    tmp_path: Path, gearmand: Gearmand, held: HeldDriver, background: ThreadPoolExecutor
) -> None:
    with held_worker(tmp_path, gearmand, held) as worker:
        worker.wait_ready()
        assert worker.ask("UPDATE", **UPDATE)["hpcs_response"] == "PASS"
        held.hold()
        suspend = background.submit(worker.ask, "SUSPEND")
        held.wait_entered()
        assert worker.end(signal.SIGKILL) == -signal.SIGKILL
        held.let_go()
        worker.start().wait_ready(times=2)
        assert suspend.result(WAIT)["hpcs_response"] == "PASS"
        reply = worker.ask("STATS")
        assert [(lb["id"], lb["status"]) for lb in reply["loadbalancers"]] == [("15", "SUSPENDED")]  # type: ignore[attr-defined]


def test_a_job_server_dies_and_comes_back(tmp_path: Path, gearmand: Gearmand) -> None:
    with WorkerProcess(tmp_path, [gearmand.port]) as worker:
        worker.wait_ready()
        for _ in range(2):
            gearmand.kill()
            gearmand.start()
            assert worker.ask("DISCOVER")["hpcs_response"] == "PASS"
        assert worker.end() == 0


def test_a_dead_job_server_does_not_keep_the_other_waiting(
    tmp_path: Path, gearmand: Gearmand
) -> None:
    with WorkerProcess(tmp_path, [free_port(), gearmand.port]) as worker:
        worker.wait_ready()
        assert "registered at 1 of 2 job servers" in worker.log
        assert worker.ask("DISCOVER")["hpcs_response"] == "PASS"


def test_a_frozen_job_server_does_not_keep_the_other_waiting(
    tmp_path: Path, gearmand: Gearmand
) -> None:
    """Its connections stay and the kernel accepts new ones, so nothing but silence tells that it hangs."""
    with Gearmand() as frozen, WorkerProcess(tmp_path, [frozen.port, gearmand.port]) as worker:
        worker.wait_ready()
        frozen.freeze()
        try:
            worker.ports = (gearmand.port,)
            for _ in range(3):
                assert worker.ask("DISCOVER")["hpcs_response"] == "PASS"
        finally:
            frozen.thaw()
        worker.ports = (frozen.port,)
        assert worker.ask("DISCOVER")["hpcs_response"] == "PASS"
        frozen.freeze()
        assert worker.end() == 0


def test_a_job_server_that_hangs_up_at_once_is_tried_ever_more_rarely(tmp_path: Path) -> None:
    with stranger(say("")) as server, WorkerProcess(tmp_path, [server.port]) as worker:
        worker.wait_ready()
        wait_until(lambda: len(server.received) >= 5, timeout=WAIT, what="five attempts")
        begun, count = time.monotonic(), len(server.received)
        wait_until(lambda: len(server.received) >= count + 2, timeout=WAIT, what="two more")
        assert time.monotonic() - begun > 1.0
        assert worker.log.count("cannot work for the job server") == 1
        assert worker.end() == 0


def test_new_settings_are_used_and_the_old_job_server_is_left(
    tmp_path: Path, gearmand: Gearmand
) -> None:
    with Gearmand() as other, WorkerProcess(tmp_path, [gearmand.port]) as worker:
        worker.wait_ready()
        worker.serve(other.port, logging={"level": "debug"}, worker={"name": "web2"})
        worker.send(signal.SIGHUP)
        worker.wait_ready(times=2)
        assert worker.ask("DISCOVER")["hpcs_response"] == "PASS"  # under its old name
        assert "a changed setting needs a restart  action=reload key=worker.name" in worker.log
        wait_until(lambda: workers(gearmand.port, worker.name) == 0, timeout=WAIT, what="it left")


def workers(port: int, function: str) -> int:
    """How many serve the function there."""
    row = read_admin(port, "status").get(function.encode())
    return int(row[2]) if row else 0


def test_faults_in_new_settings_are_all_told_and_change_nothing(
    tmp_path: Path, gearmand: Gearmand
) -> None:
    with WorkerProcess(tmp_path, [gearmand.port]) as worker:
        worker.wait_ready()
        worker.config.write_text("worker: {drain_secs: 5}\nlogging: {level: loud}\n")
        worker.send(signal.SIGHUP)
        worker.wait_ready(times=2)
        assert worker.log.count("cannot use the new settings") == 2
        assert "worker.drain_secs" in worker.log
        assert "logging.level" in worker.log
        assert worker.ask("DISCOVER")["hpcs_response"] == "PASS"
        assert worker.end() == 0


def test_settings_at_fault_end_it_at_once(tmp_path: Path) -> None:
    worker = WorkerProcess(tmp_path, [1])
    worker.config.write_text("worker: {drain_secs: 5}\njob_servers: []\n")
    for arguments in ([], ["--check"], ["--daemon"]):
        done = worker.run(*arguments)
        assert done.returncode == 2
        assert "worker.drain_secs" in done.stderr
        assert "job_servers" in done.stderr


def test_good_settings_pass_the_check_and_touch_nothing(tmp_path: Path) -> None:
    worker = WorkerProcess(tmp_path, [1])
    done = worker.run("--check")
    assert (done.returncode, done.stdout) == (0, f"{worker.config}: the settings are good\n")
    assert not worker.state_dir.exists()


def test_two_workers_never_share_a_state_directory(tmp_path: Path, gearmand: Gearmand) -> None:
    with WorkerProcess(tmp_path, [gearmand.port]) as worker:
        worker.wait_ready()
        done = worker.run()
        assert done.returncode == 1
        assert worker.process is not None
        assert done.stderr == (
            f"libra-worker: cannot lock {worker.state_dir}/worker.lock: "
            f"it is held by a running process, pid {worker.process.pid}\n"
        )
        assert worker.ask("DISCOVER")["hpcs_response"] == "PASS"
        assert worker.state_dir.stat().st_mode & 0o777 == 0o700


def test_an_unknown_driver(tmp_path: Path) -> None:
    done = WorkerProcess(tmp_path, [1], worker={"driver": "nginx"}).run()
    assert done.returncode == 1
    assert "cannot load 'nginx' from libra.drivers: installed are haproxy, noop" in done.stderr
