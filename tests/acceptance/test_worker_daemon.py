"""libra-worker --daemon, for hosts without systemd."""

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.gearmand import Gearmand
from tests.support.haproxy import is_running
from tests.support.ports import wait_until
from tests.support.worker import WAIT, HeldDriver, WorkerProcess

UPDATE = {
    "loadbalancers": [
        {"id": "15", "protocol": "HTTP", "nodes": [{"address": "10.0.0.1", "port": "80"}]}
    ]
}


class Detached(WorkerProcess):
    """Started with --daemon: known by its pid file alone."""

    @property
    def pid(self) -> int:
        return int(self.pid_file.read_text())

    def stop(self) -> None:
        pid = self.pid
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not is_running(pid), timeout=WAIT, what="its end")

    def __enter__(self) -> "Detached":
        return self

    def __exit__(self, *_: object) -> None:
        if self.pid_file.exists() and is_running(self.pid):
            os.kill(self.pid, signal.SIGKILL)


@pytest.fixture
def gearmand() -> Iterator[Gearmand]:
    with Gearmand() as server:
        yield server


@pytest.mark.usefixtures("started_alone")
def test_its_life(tmp_path: Path, gearmand: Gearmand) -> None:
    with Detached(tmp_path, [gearmand.port]) as worker:
        started = worker.run("--daemon")
        assert (started.returncode, started.stdout, started.stderr) == (0, "", "")
        pid = worker.pid
        assert is_running(pid)
        assert os.getsid(pid) == pid
        # ready means ready: no waiting here
        assert worker.ask("UPDATE", **UPDATE)["hpcs_response"] == "PASS"
        assert "action=UPDATE" in (worker.state_dir / "libra-worker.log").read_text()
        os.kill(pid, signal.SIGHUP)
        wait_until(
            lambda: (worker.state_dir / "libra-worker.log").read_text().count(" ready ") == 2,
            timeout=WAIT,
            what="the reload",
        )
        worker.stop()
        assert not worker.pid_file.exists()
        assert worker.run("--daemon").returncode == 0
        assert worker.pid != pid
        reply = worker.ask("STATS")
        assert [lb["id"] for lb in reply["loadbalancers"]] == ["15"]  # type: ignore[attr-defined]
        worker.stop()


@pytest.mark.usefixtures("started_alone")
def test_it_has_left_everything_of_its_caller(tmp_path: Path, gearmand: Gearmand) -> None:
    inherited = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(inherited, True)
    try:
        with Detached(tmp_path, [gearmand.port]) as worker:
            assert worker.run("--daemon").returncode == 0
            process = Path(f"/proc/{worker.pid}")
            assert (process / "cwd").resolve() == Path("/")
            files = {str(file.resolve()) for file in (process / "fd").iterdir()}
            assert str(tmp_path) not in files
            status = dict(
                line.split(":", 1) for line in (process / "status").read_text().splitlines()
            )
            if os.geteuid() == 0:
                assert status["Groups"].strip() == ""
            assert all(
                (process / "fd" / str(number)).resolve() == Path("/dev/null") for number in range(3)
            )
    finally:
        os.close(inherited)


def test_the_second_is_refused_and_the_first_goes_on(tmp_path: Path, gearmand: Gearmand) -> None:
    with Detached(tmp_path, [gearmand.port]) as worker:
        assert worker.run("--daemon").returncode == 0
        pid = worker.pid
        second = worker.run("--daemon")
        assert second.returncode == 1
        assert second.stderr == (
            f"libra-worker: cannot lock {worker.pid_file}: it is held by a running process, pid {pid}\n"
        )
        assert worker.pid == pid
        third = Detached(
            tmp_path, [gearmand.port], worker={"pid_file": str(tmp_path / "other.pid")}
        )
        done = third.run("--daemon")
        assert done.returncode == 1
        assert f"cannot lock {worker.state_dir}/worker.lock" in done.stderr
        assert not (tmp_path / "other.pid").exists()
        assert worker.ask("DISCOVER")["hpcs_response"] == "PASS"


@pytest.mark.parametrize(
    "content",
    ["{dead}\n", "{other}\n", "1\n", "rubbish", "-1\n", "\x00" * 5000, "9" * 400, ""],
    ids=["a dead one", "another program's", "init's", "rubbish", "-1", "zeros", "huge", "empty"],
)
def test_a_pid_file_that_was_left_behind_is_in_nobodys_way(
    tmp_path: Path, gearmand: Gearmand, content: str
) -> None:
    """As by a power cut: whoever has that number now is left alone."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    other = subprocess.Popen(["sleep", "1000"])
    try:
        with Detached(tmp_path, [gearmand.port]) as worker:
            worker.pid_file.parent.mkdir()
            worker.pid_file.write_text(content.format(dead=ended.pid, other=other.pid))
            assert worker.run("--daemon").returncode == 0
            assert worker.pid not in (ended.pid, other.pid)
            assert worker.ask("DISCOVER")["hpcs_response"] == "PASS"
            worker.stop()
            assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_killed_it_is_started_again_over_its_pid_file(tmp_path: Path, gearmand: Gearmand) -> None:
    with Detached(tmp_path, [gearmand.port]) as worker:
        assert worker.run("--daemon").returncode == 0
        assert worker.ask("UPDATE", **UPDATE)["hpcs_response"] == "PASS"
        killed = worker.pid
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: not is_running(killed), timeout=WAIT, what="its end")
        assert worker.run("--daemon").returncode == 0
        assert worker.pid != killed
        reply = worker.ask("STATS")
        assert [lb["id"] for lb in reply["loadbalancers"]] == ["15"]  # type: ignore[attr-defined]
        worker.stop()


def test_a_pid_file_through_a_link_is_refused(tmp_path: Path) -> None:
    """Its directory may be writable by others: what they link to must not be overwritten."""
    precious = tmp_path / "precious"
    precious.write_text("kept")
    with Detached(tmp_path, [1]) as worker:
        worker.pid_file.parent.mkdir()
        worker.pid_file.symlink_to(precious)
        done = worker.run("--daemon")
        assert done.returncode == 1
        assert f"cannot write {worker.pid_file}: " in done.stderr
        worker.pid_file.unlink()
    assert precious.read_text() == "kept"


def test_started_many_times_at_once_one_runs(tmp_path: Path, gearmand: Gearmand) -> None:
    with Detached(tmp_path, [gearmand.port]) as worker:
        with ThreadPoolExecutor(4) as pool:
            started = [pool.submit(worker.run, "--daemon") for _ in range(4)]
        assert sorted(one.result().returncode for one in started) == [0, 1, 1, 1]
        for one in started:
            assert one.result().returncode == 0 or "is held by a running process" in (
                one.result().stderr
            )
        assert is_running(worker.pid)
        assert worker.ask("DISCOVER")["hpcs_response"] == "PASS"
        worker.stop()


def test_a_stop_amid_a_job_answers_it(tmp_path: Path, gearmand: Gearmand) -> None:
    held = HeldDriver(tmp_path)
    with (
        Detached(
            tmp_path,
            [gearmand.port],
            path=held.path,
            environ=held.environ,
            worker={"driver": "held"},
        ) as worker,
        ThreadPoolExecutor(1) as background,
    ):
        assert worker.run("--daemon").returncode == 0
        held.hold()
        update = background.submit(worker.ask, "UPDATE", **UPDATE)
        held.wait_entered()
        pid = worker.pid
        os.kill(pid, signal.SIGTERM)
        log = worker.state_dir / "libra-worker.log"
        wait_until(lambda: "stopping" in log.read_text(), timeout=WAIT, what="a stop that waits")
        assert is_running(pid)
        assert worker.pid_file.exists()
        held.let_go()
        assert update.result(WAIT)["hpcs_response"] == "PASS"
        wait_until(lambda: not is_running(pid), timeout=WAIT, what="its end")
        assert not worker.pid_file.exists()


@pytest.mark.parametrize(
    ("section", "key", "sentence"),
    [
        ("worker", "state_dir", "cannot make the directory {}: File exists"),
        ("worker", "pid_file", "cannot write {}: Is a directory"),
        ("logging", "file", "cannot write the log {}: Is a directory"),
        ("worker", "driver", "cannot load 'nginx' from libra.drivers"),
    ],
)
def test_what_goes_wrong_at_the_start_is_seen_by_the_caller(
    tmp_path: Path, section: str, key: str, sentence: str
) -> None:
    obstacle = tmp_path / "obstacle"
    if key == "state_dir":
        obstacle.write_text("")
    else:
        obstacle.mkdir()
    value = "nginx" if key == "driver" else str(obstacle)
    worker = Detached(tmp_path, [1], **{section: {key: value}})
    done = worker.run("--daemon")
    assert done.returncode == 1
    assert sentence.format(obstacle) in done.stderr
    assert not worker.pid_file.exists()


def test_a_driver_that_raises_is_seen_by_the_caller_and_logged(tmp_path: Path) -> None:
    held = HeldDriver(tmp_path)
    (held.path / "held_driver.py").write_text("def create_driver(settings): return 1 / 0\n")
    worker = Detached(
        tmp_path, [1], path=held.path, environ=held.environ, worker={"driver": "held"}
    )
    done = worker.run("--daemon")
    assert done.returncode == 1
    assert done.stderr == "libra-worker: internal error: ZeroDivisionError\n"
    assert "ZeroDivisionError" in (worker.state_dir / "libra-worker.log").read_text()
    assert not worker.pid_file.exists()


def test_the_caller_waits_until_the_proxy_is_restored(tmp_path: Path, gearmand: Gearmand) -> None:
    held = HeldDriver(tmp_path)
    held.hold()
    with Detached(
        tmp_path,
        [gearmand.port],
        path=held.path,
        environ=held.environ,
        worker={"driver": "held"},
    ) as worker:
        worker.start("--daemon")
        held.wait_entered()
        assert worker.process is not None
        assert worker.process.poll() is None
        held.let_go()
        assert worker.process.wait(WAIT) == 0
        worker.stop()
