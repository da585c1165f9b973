"""SIGHUP to an installed libra-worker with a HAProxy of its own: good settings, bad ones, and far too many."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.gearmand import Gearmand, read_admin
from tests.support.haproxy import find_haproxy, socket_directory
from tests.support.haproxyworker import Footprint, build_haproxy_worker, build_loadbalancer
from tests.support.load import Load
from tests.support.ports import free_port, wait_until
from tests.support.web import WebServer
from tests.support.worker import WAIT, WorkerProcess

__all__ = ["socket_directory"]

STORM = 100


class Served:
    """A worker whose load balancer serves on `port`."""

    def __init__(self, worker: WorkerProcess, web: WebServer) -> None:
        self.worker = worker
        self.port = free_port()
        self._web = web

    def update(self, **fields: object) -> dict[str, object]:
        loadbalancer = build_loadbalancer(self.port, self._web, **fields)
        return self.worker.ask("UPDATE", timeout=60, loadbalancers=[loadbalancer])


@pytest.fixture
def served(tmp_path: Path, socket_directory: Path) -> Iterator[Served]:
    with Gearmand() as gearmand, WebServer("one") as one:
        worker = build_haproxy_worker(
            tmp_path, socket_directory, find_haproxy("system"), [gearmand.port]
        )
        with worker:
            worker.wait_ready()
            served = Served(worker, one)
            assert served.update()["hpcs_response"] == "PASS"
            yield served


def write(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def become_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def become_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (Path.unlink, "cannot be read: there is no such file"),
        (become_a_directory, "cannot be read: Is a directory"),
        (become_a_pipe, "cannot be read: not a regular file"),
        (write(b"worker: {name: \xff}\n"), "cannot be read: not UTF-8 at byte 15"),
        (write(b"worker: [\n"), "line 2, column 1"),
        (write(b"worker: {name: a}\nworker: {name: b}\n"), "the key 'worker' is given twice"),
        (write(b"a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n"), "aliases (*...) are not taken"),
        (write(b"x" * 2_000_000), "cannot be read: larger than 1048576 bytes"),
    ],
    ids=["gone", "directory", "pipe", "latin-1", "torn", "twice", "bomb", "huge"],
)
def test_settings_that_cannot_be_used_change_nothing(
    served: Served, spoil: Callable[[Path], object], words: str
) -> None:
    worker = served.worker
    good = worker.config.read_text()
    before = Footprint.of(worker)
    spoil(worker.config)
    worker.send(signal.SIGHUP)
    worker.wait_log("cannot use the new settings")
    worker.wait_ready(times=2)
    assert words in worker.log
    assert "internal error" not in worker.log
    assert worker.ask("STATS")["hpcs_response"] == "PASS"
    assert served.update(connection_limit=7)["hpcs_response"] == "PASS"
    if worker.config.is_dir():
        worker.config.rmdir()
    else:
        worker.config.unlink(missing_ok=True)
    worker.config.write_text(good)
    worker.send(signal.SIGHUP)
    worker.wait_log("settings read")
    assert served.update()["hpcs_response"] == "PASS"
    after = Footprint.of(worker)
    assert (after.configuration, after.desired) == (before.configuration, before.desired)


def test_a_log_that_cannot_be_written_keeps_all_the_rest_for_the_next_time(served: Served) -> None:
    worker = served.worker
    first = worker.ports
    with Gearmand() as other:
        worker.serve(other.port, logging={"file": str(worker.directory)})
        worker.ports = first
        worker.send(signal.SIGHUP)
        worker.wait_log(f"cannot write the log {worker.directory}: Is a directory")
        worker.wait_ready(times=2)
        assert worker.ask("DISCOVER")["hpcs_response"] == "PASS"
        worker.wait_log("action=DISCOVER")
        assert workers(other.port, worker.name) == 0
        worker.serve(other.port, logging={"file": None})
        worker.send(signal.SIGHUP)
        worker.wait_log("changed=job_servers")
        assert worker.ask("DISCOVER")["hpcs_response"] == "PASS"


@pytest.mark.load
def test_a_storm_amid_jobs_and_traffic_loses_neither(served: Served) -> None:
    """Each SIGHUP changes the job servers to and fro, so that jobs are taken by sources that come and go."""
    worker = served.worker
    with Gearmand() as other, ThreadPoolExecutor(4) as senders, Load(served.port) as load:
        first = worker.ports[0]
        updates = [senders.submit(served.update, connection_limit=100 + n) for n in range(20)]
        for number in range(STORM):
            worker.serve(*((first, other.port) if number % 2 else (first,)))
            for _ in range(5):
                worker.send(signal.SIGHUP)
            if number % 10 == 0:
                assert worker.ask("DISCOVER")["hpcs_response"] == "PASS"
        assert [one.result(60)["hpcs_response"] for one in updates] == ["PASS"] * 20
        worker.serve(first)
        worker.send(signal.SIGHUP)
        wait_until(lambda: workers(first, worker.name) == 1, timeout=WAIT, what="one registration")
        wait_until(lambda: workers(other.port, worker.name) == 0, timeout=WAIT, what="none there")
        assert worker.ask("STATS")["hpcs_response"] == "PASS"
    assert load.failures == []
    assert load.total > 100
    assert worker.process is not None
    assert worker.process.poll() is None
    assert "cannot use the new settings" not in worker.log
    assert "internal error" not in worker.log
    assert worker.end() == 0


def workers(port: int, function: str) -> int:
    """How many serve the function there."""
    row = read_admin(port, "status").get(function.encode())
    return int(row[2]) if row else 0
