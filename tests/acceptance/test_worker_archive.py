"""ARCHIVE by an installed libra-worker with real gearmand, HAProxy and Swift, while things go wrong."""

import gzip
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.accesslogs import build_line
from tests.support.archives import build_archive
from tests.support.gearmand import Gearmand
from tests.support.haproxy import find_haproxy, socket_directory
from tests.support.haproxyworker import Footprint, build_haproxy_worker, build_loadbalancer
from tests.support.ports import free_port, wait_until
from tests.support.strangers import redirect_to, say, stranger
from tests.support.swift_lab import SwiftLab
from tests.support.tcpfault import TcpFault
from tests.support.web import WebServer
from tests.support.worker import WAIT, WorkerProcess

__all__ = ["socket_directory"]

MANY = 300_000  # lines: more than fits into the buffers of an upload that is held up
MEMORY_LIMIT_KIB = 64 * 1024
SWIFT = {
    "allowed_endpoints": ["http://127.0.0.1:*", "https://127.0.0.1:*"],
    "attempts": 2,
    "timeout_seconds": 10,
}


@cache
def build_lines(count: int) -> bytes:
    """Of the load balancer; they compress badly, as in life."""
    tails = random.Random(1)
    return b"".join(
        build_line("fe-15", n, tail=f"/{tails.randbytes(24).hex()}") for n in range(count)
    )


class Site:
    """A worker with one load balancer, its log, and a link to Swift that can be held up."""

    def __init__(self, worker: WorkerProcess, swift: SwiftLab, link: TcpFault, container: str):
        self.worker = worker
        self.swift = swift
        self.link = link
        self.container = container
        self.log = Path(worker.settings["haproxy"]["log_file"])
        self.lines = b""
        self._senders = ThreadPoolExecutor(4)

    def write_log(self, lines: int) -> None:
        self.lines = build_lines(lines)
        self.log.write_bytes(self.lines)

    def message(self, *, url: str | None = None, token: str | None = None) -> dict[str, Any]:
        linked = self.swift.storage_url.replace(
            f":{self.swift.port['proxy']}/", f":{self.link.port}/"
        )
        return build_archive(
            url or linked,
            token or self.swift.token(),
            self.container,
            {"id": "15", "protocol": "HTTP"},
        )

    def archive(self, **fields: str) -> "Future[dict[str, Any]]":
        """The reply, some time."""
        message = self.message(**fields)
        del message["hpcs_action"]
        return self._senders.submit(lambda: self.worker.ask("ARCHIVE", timeout=4 * WAIT, **message))

    def download(self, reply: dict[str, Any]) -> bytes:
        assert reply["hpcs_response"] == "PASS", reply
        return gzip.decompress(self.swift.download(reply["hpcs_object_store_object"]))

    def stored(self) -> list[str]:
        return self.swift.names(self.container) + self.swift.names(f"{self.container}_segments")

    def wait_reading(self) -> int:
        """Return once the log is open and a grep reads it: the process id of that one."""
        wait_until(lambda: str(self.log) in self.opened(), timeout=WAIT, what="an open log")
        # What the kernel lists of children may miss one for a moment, so it is not asked again.
        seen: list[int] = []

        def is_running() -> bool:
            seen[:] = self.greps()
            return len(seen) == 1

        wait_until(is_running, timeout=WAIT, what="an ARCHIVE that runs")
        return seen[0]

    def opened(self) -> set[str]:
        """What the worker has open."""
        found = set()
        for link in (self.process / "fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                found.add(str(link.readlink()))
        return found

    def greps(self) -> list[int]:
        found = set()
        for task in (self.process / "task").iterdir():
            with suppress(FileNotFoundError):  # ended meanwhile
                found |= {int(pid) for pid in (task / "children").read_text().split()}
        return list(filter(is_grep, found))

    @property
    def process(self) -> Path:
        assert self.worker.process is not None
        return Path(f"/proc/{self.worker.process.pid}")

    def close(self) -> None:
        self.link.hang = False
        self._senders.shutdown()


def is_grep(pid: int) -> bool:
    """Not the HAProxy that the worker also started, and no zombie."""
    try:
        return b"grep" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@pytest.fixture
def site(tmp_path: Path, socket_directory: Path, swift: SwiftLab, container: str) -> Iterator[Site]:
    with Gearmand() as gearmand, WebServer("one") as one, TcpFault(swift.port["proxy"]) as link:
        worker = build_haproxy_worker(
            tmp_path,
            socket_directory,
            find_haproxy("system"),
            [gearmand.port],
            object_stores={"swift": SWIFT},
            logging={"level": "debug"},
        )
        worker.environ["TMPDIR"] = str(tmp_path / "tmp")
        (tmp_path / "tmp").mkdir()
        with worker:
            worker.wait_ready()
            update = [build_loadbalancer(free_port(), one)]
            assert worker.ask("UPDATE", loadbalancers=update)["hpcs_response"] == "PASS"
            site = Site(worker, swift, link, container)
            try:
                yield site
            finally:
                site.close()


def test_everything_else_is_answered_while_it_runs_and_a_stop_waits_for_it(site: Site) -> None:
    site.write_log(MANY)
    site.link.hang = True
    archive = site.archive()
    site.wait_reading()
    loadbalancers: Any = site.worker.ask("STATS")["loadbalancers"]
    assert [one["id"] for one in loadbalancers] == ["15"]
    for action in ("DISCOVER", "SUSPEND", "ENABLE", "STATS"):
        assert site.worker.ask(action)["hpcs_response"] == "PASS"
    site.worker.send(signal.SIGTERM)
    site.worker.wait_log("stopping")
    assert not archive.done()
    site.link.hang = False
    assert site.download(archive.result(4 * WAIT)) == site.lines
    assert site.worker.process is not None
    assert site.worker.process.wait(WAIT) == 0


def test_killed_amid_an_upload_the_next_worker_does_it(site: Site) -> None:
    site.write_log(MANY)
    site.link.hang = True
    archive = site.archive()
    child = site.wait_reading()
    before = Footprint.of(site.worker)
    assert site.worker.end(signal.SIGKILL) == -signal.SIGKILL
    wait_until(lambda: not is_grep(child), timeout=WAIT, what="the end of grep")
    site.link.hang = False
    site.worker.start()
    reply = archive.result(4 * WAIT)
    assert site.download(reply) == site.lines
    assert site.swift.names(site.container) == [
        reply["hpcs_object_store_object"].removeprefix(f"{site.container}/")
    ]
    after = Footprint.of(site.worker)
    assert (after.configuration, after.processes[1:]) == (
        before.configuration,
        before.processes[1:],
    )


def test_a_swift_that_dies_amid_an_upload(site: Site) -> None:
    site.write_log(MANY)
    site.link.hang = True
    archive = site.archive()
    site.wait_reading()
    site.swift.signal("proxy", signal.SIGKILL)
    site.link.hang = False
    try:
        error = archive.result(4 * WAIT)["hpcs_error"]
    finally:
        site.swift.start_server("proxy")
        site.swift.wait("proxy", time.monotonic() + WAIT)
    assert error.startswith("cannot archive load balancer '15': cannot store: PUT ")
    assert "(tried 2 times)" in error
    assert site.log.read_bytes() == site.lines
    assert site.download(site.archive().result(4 * WAIT)) == site.lines


def test_a_log_cut_short_amid_an_upload(site: Site) -> None:
    """As by logrotate's copytruncate: a PASS would hide that lines are missing."""
    site.write_log(MANY)
    site.link.hang = True
    archive = site.archive()
    site.wait_reading()
    os.truncate(site.log, 100)
    site.link.hang = False
    assert "was cut short while it was read" in archive.result(4 * WAIT)["hpcs_error"]
    assert site.stored() == []
    site.write_log(10)
    assert site.download(site.archive().result(4 * WAIT)) == site.lines


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Path.mkdir, "it is no regular file"),
        (os.mkfifo, "it is no regular file"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
    ],
    ids=["a directory", "a named pipe", "a link to itself"],
)
def test_a_log_that_cannot_be_read(site: Site, make: Callable[[Path], None], words: str) -> None:
    site.log.unlink(missing_ok=True)
    make(site.log)
    reply = site.archive().result(WAIT)
    assert reply["hpcs_response"] == "FAIL"
    assert f"cannot read the access log {site.log}: {words}" in reply["hpcs_error"]
    assert site.stored() == []


def test_the_token_is_in_no_log_and_no_file(site: Site) -> None:
    """At the log's lowest level, in good times and in bad ones."""
    site.write_log(1000)
    good, bad = site.swift.token(), "AUTH_tk" + "5ecret" * 6
    with stranger(say("")) as elsewhere, stranger(redirect_to(elsewhere.url)) as redirecting:
        ways: list[dict[str, str]] = [
            {"token": good},
            {"token": bad},
            {"token": good, "url": f"http://127.0.0.1:{free_port()}/v1"},
            {"token": good, "url": site.swift.storage_url.replace("http:", "https:")},
            {"token": good, "url": "https://evil.example/v1"},
            {"token": good, "url": redirecting.url},
            {"token": f"{good}\n"},
            {"token": f"{good} \u00e9"},
        ]
        replies = [site.archive(**way).result(4 * WAIT) for way in ways]
        assert elsewhere.received == []
    assert [reply["hpcs_response"] for reply in replies] == ["PASS"] + ["FAIL"] * 7
    site.worker.end()
    files = [file for file in site.worker.directory.rglob("*") if file.is_file()]
    assert site.worker.log_file in files
    shown = "".join(file.read_text("utf-8", "replace") for file in files)
    shown += "".join(str(reply.get("hpcs_error")) for reply in replies)
    for token in (good, bad):
        for part in (token[start : start + 12] for start in range(7, len(token) - 12)):
            assert part not in shown


@pytest.mark.usefixtures("started_alone")
def test_nothing_is_copied_and_memory_stays_bounded(site: Site) -> None:
    site.write_log(MANY)
    temporary = site.worker.directory / "tmp"
    untouched = temporary.stat().st_mtime_ns
    site.link.hang = True
    archive = site.archive()
    site.wait_reading()
    opened = site.opened()
    site.link.hang = False
    assert site.download(archive.result(4 * WAIT)) == site.lines
    status = dict(line.split(":", 1) for line in (site.process / "status").read_text().splitlines())
    assert int(status["VmHWM"].split()[0]) < MEMORY_LIMIT_KIB
    assert temporary.stat().st_mtime_ns == untouched
    # a directory is open for a moment while a module is looked for
    files = {path for path in opened if path.startswith("/") and not Path(path).is_dir()}
    files = {path for path in files if not path.startswith("/dev/")}
    lock = site.worker.state_dir / "worker.lock"
    assert {path for path in files if "memfd" not in path} == {
        str(site.log),
        str(site.worker.log_file),
        str(lock),
    }
