"""The server of web services as a process: its socket, its signals, its end, and load meanwhile."""

import os
import signal
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import pytest

from libra.model.webservice import Json, NodeInfo, Static, service_key
from libra.serving.book import Book
from tests.support.haproxy import socket_directory
from tests.support.ports import wait_until
from tests.support.serving import (
    LISTENER,
    Answer,
    ServingLab,
    ask,
    build_book,
    load_node,
    open_files,
)

__all__ = ["socket_directory"]


@pytest.fixture
def lab(tmp_path: Path, socket_directory: Path) -> Iterator[ServingLab]:
    with ServingLab(tmp_path, socket_directory) as made:
        yield made


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site"
    path.mkdir()
    (path / "a.txt").write_bytes(b"hello")
    (path / "big").write_bytes(os.urandom(1 << 20) * 8)
    (tmp_path / "secret.txt").write_bytes(b"secret")
    return path


def build(site: Path, *more: Json | NodeInfo) -> Book:
    return build_book(
        Static(path="/docs", directory=str(site)),
        NodeInfo(path="/info"),
        *more,
        directories=(site,),
    )


def number(value: int, path: str = "/n") -> Json:
    return Json(path=path, text=str(value))


def get(lab: ServingLab, target: str, service: str, **headers: str) -> Answer:
    return ask(lab.socket, target, service, headers=headers)


def test_what_it_answers(lab: ServingLab, site: Path) -> None:
    lab.start(build(site, number(5)))
    assert get(lab, "/docs/a.txt", "/docs").body == b"hello"
    assert get(lab, "/docs/big", "/docs").body == (site / "big").read_bytes()
    assert get(lab, "/n", "/n").body == b"5"
    assert load_node(get(lab, "/info", "/info", Accept="application/json").body)["release"]
    assert get(lab, "/n", "/other").status == 404
    assert ask(lab.socket, "/n", None).status == 404
    for target in ("/docs/../secret.txt", "/docs/%2e%2e/secret.txt", "/../secret.txt", "*"):
        assert get(lab, target, "/docs").status == 404
    twice = (
        b"GET /n HTTP/1.1\r\nhost: x\r\nx-libra-service: web /n\r\nx-libra-service: web /n\r\n\r\n"
    )
    assert b" 404 " in say(lab, twice)
    assert get(lab, "/n", "/n").headers.keys() == {
        *("content-length", "content-type", "date", "x-content-type-options"),
    }


def say(lab: ServingLab, request: bytes) -> bytes:
    """The first line of what it answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(30)
        connection.connect(str(lab.socket))
        connection.sendall(request)
        return connection.recv(65536).partition(b"\r\n")[0]


@pytest.mark.parametrize("target", ["/docs/a.txt", "/docs/big", "/docs/nothing", "/n", "/info"])
def test_a_head_has_no_body(lab: ServingLab, site: Path, target: str) -> None:
    lab.start(build(site, number(5)))
    service = "/" + target.split("/")[1]
    head, whole = (ask(lab.socket, target, service, method) for method in ("HEAD", "GET"))
    assert (head.status, head.body) == (whole.status, b"")
    assert head.headers["content-length"] == str(len(whole.body))


def test_a_large_body_that_nobody_wants(lab: ServingLab, site: Path) -> None:
    lab.start(build(site, number(5)))
    answer = ask(lab.socket, "/n", "/n", "POST", body=b"x" * 60_000)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert get(lab, "/n", "/n").status == 200


def test_a_file_that_grows_is_sent_as_it_was(lab: ServingLab, site: Path) -> None:
    lab.start(build(site))
    was = (site / "big").read_bytes()
    with asking(lab, "/docs/big") as connection:
        got = connection.recv(1000)
        with (site / "big").open("ab") as file:
            file.write(b"more" * 100_000)
        while block := connection.recv(1 << 20):
            got += block
    assert got.partition(b"\r\n\r\n")[2] == was
    assert "Traceback" not in lab.errors.read_text()


@contextmanager
def asking(lab: ServingLab, target: str) -> Iterator[socket.socket]:
    """A connection with one request on it, which is its last."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(30)
        connection.connect(str(lab.socket))
        key = service_key(LISTENER, "/" + target.split("/")[1])
        head = f"GET {target} HTTP/1.1\r\nhost: x\r\nx-libra-service: {key}\r\nconnection: close"
        connection.sendall(f"{head}\r\n\r\n".encode())
        yield connection


def test_only_its_user_may_connect(lab: ServingLab, site: Path) -> None:
    lab.start(build(site))
    assert stat.S_IMODE(lab.socket.stat().st_mode) == 0o600


def test_a_group_that_may_connect(lab: ServingLab, site: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    lab.start(build(site), "--user", "nobody", "--group", "daemon")
    found = lab.socket.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid != 0, found.st_gid != 0) == (
        0o660,
        True,
        True,
    )


def test_a_socket_that_was_left_behind_is_replaced(lab: ServingLab, site: Path) -> None:
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(lab.socket))
    lab.start(build(site, number(5)))
    assert get(lab, "/n", "/n").body == b"5"
    assert [path.name for path in lab.socket.parent.iterdir()] == [lab.socket.name]


def test_it_does_not_begin_without_services(lab: ServingLab) -> None:
    lab.services.write_bytes(b"{}")
    with lab.launch() as process:
        assert process.wait(30) == 1
    assert "cannot read the services" in lab.errors.read_text()
    assert not lab.socket.exists()


# signals


def test_a_hangup_brings_what_is_new(lab: ServingLab, site: Path) -> None:
    lab.start(build(site, number(1)))
    lab.renew(build(site, number(2), number(3, "/m")))
    assert [get(lab, path, path).body for path in ("/n", "/m")] == [b"2", b"3"]
    lab.renew(build(site))
    assert get(lab, "/n", "/n").status == 404


def test_a_hangup_with_something_unreadable_changes_nothing(lab: ServingLab, site: Path) -> None:
    book = build(site, number(1))
    lab.start(book)
    lab.services.write_bytes(b"{")
    lab.send(signal.SIGHUP)
    wait_until(lambda: "cannot read the services" in lab.errors.read_text(), what="its words")
    assert get(lab, "/n", "/n").body == b"1"
    lab.renew(build(site, number(2)))
    assert get(lab, "/n", "/n").body == b"2"


class Load:
    """Clients that ask without a pause; `bad` is what was not as it should be."""

    def __init__(self, lab: ServingLab, *targets: str) -> None:
        self._lab = lab
        self._targets = targets
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(3)]
        self.bad: list[object] = []
        self.good = 0

    def _ask(self) -> None:
        while not self._stop.is_set():
            for target in self._targets:
                try:
                    answer = get(self._lab, target, "/" + target.split("/")[1])
                except OSError as error:
                    self.bad.append(error)
                else:
                    self.good += answer.status == 200
                    self.bad += [answer] if answer.status != 200 else []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_hangups_under_load_lose_nothing(lab: ServingLab, site: Path) -> None:
    lab.start(build(site, number(0)))
    with Load(lab, "/docs/a.txt", "/n") as load:
        for value in range(1, 31):
            lab.renew(build(site, number(value)))
    assert not load.bad
    assert load.good
    assert get(lab, "/n", "/n").body == b"30"


def test_requests_under_way_are_finished(lab: ServingLab, site: Path) -> None:
    lab.start(build(site))
    with asking(lab, "/docs/big") as connection:
        got = connection.recv(1000)
        lab.send(signal.SIGTERM)
        wait_until(lambda: refuses(lab), what="the end of the listener")
        while block := connection.recv(1 << 20):
            got += block
    assert got.partition(b"\r\n\r\n")[2] == (site / "big").read_bytes()
    assert lab.process is not None
    assert lab.process.wait(30) == 0


def refuses(lab: ServingLab) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(str(lab.socket))
        except OSError:
            return True
    return False


def test_another_one_takes_its_place_without_a_gap(lab: ServingLab, site: Path) -> None:
    """Each of several in turn; who connects is let in by the one or the other, and the old ones end by themselves."""
    book = build(site, number(1))
    lab.start(book)
    with Load(lab, "/n") as load, ExitStack() as former:
        for _ in range(3):
            assert lab.process is not None
            former.enter_context(ended(lab.process))
            lab.start(book)
    assert not load.bad


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """By itself, in the end."""
    try:
        yield
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait(30)


def test_it_ends_when_its_socket_is_taken_away(lab: ServingLab, site: Path) -> None:
    lab.start(build(site))
    lab.socket.unlink()
    assert lab.process is not None
    assert lab.process.wait(30) == 0


def test_clients_that_leave_cost_nothing(lab: ServingLab, site: Path) -> None:
    lab.start(build(site))
    assert lab.process is not None
    pid = lab.process.pid
    get(lab, "/docs/a.txt", "/docs")
    before = open_files(pid)
    for _ in range(50):
        with asking(lab, "/docs/big") as connection:
            connection.recv(100)
    wait_until(lambda: open_files(pid) <= before, what="closed files")
    assert get(lab, "/docs/a.txt", "/docs").body == b"hello"
    assert "Traceback" not in lab.errors.read_text()
