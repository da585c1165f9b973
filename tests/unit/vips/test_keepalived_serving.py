"""What keepalived is told: who listens is read from the kernel, and HAProxy is asked."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from libra.vips.keepalived import serving

HERE, ELSEWHERE, SIX = "127.77.78.1", "127.77.78.2", "::1"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """With a file for each address."""
    found = tmp_path / "serving"
    found.mkdir()
    for name in (HERE, ELSEWHERE, SIX):
        (found / name).write_bytes(serving.NOT_SERVED)
    return found


@contextmanager
def listening(host: str) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        yield server


def told(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


def test_an_address_is_served_while_somebody_listens_on_it(directory: Path) -> None:
    """A listener of all addresses is none: it may be of anything."""
    with listening(HERE), listening("0.0.0.0"):
        serving.look(str(directory))
        assert told(directory)[HERE] == "0\n"
        assert told(directory)[ELSEWHERE] == "1\n"
    serving.look(str(directory))
    assert told(directory)[HERE] == "1\n"


def test_ipv6_is_read_as_it_is_written(tmp_path: Path) -> None:
    table = tmp_path / "tcp6"
    table.write_text(
        "  sl  local_address remote_address st\n"
        "   0: 000077FD000000000000000000010000:0050 00000000000000000000000000000000:0000 0A 0 0\n"
        "   1: 000077FD000000000000000000020000:0050 00000000000000000000000000000000:0000 01 0 0\n"
        "   2: 000077FD000000000000000000030000:0050 00000000000000000000000000000000:0000 0A 0 0\n"
    )
    assert serving.listening(socket.AF_INET6, str(table)) == {"fd77::100"}
    assert serving.listening(socket.AF_INET6, str(tmp_path / "none")) == set()


def test_a_file_that_says_so_already_is_not_written(directory: Path) -> None:
    """Each write wakes keepalived."""
    serving.look(str(directory))
    before = (directory / ELSEWHERE).stat().st_mtime_ns
    serving.look(str(directory))
    assert (directory / ELSEWHERE).stat().st_mtime_ns == before


@pytest.mark.parametrize("answer", [b"Name: HAProxy\n", b""])
def test_haproxy_is_asked(directory: Path, answer: bytes) -> None:
    path = directory.parent / "a"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            with suppress(OSError):
                connection, _ = server.accept()
                connection.recv(100)
                connection.sendall(answer)
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        assert run(directory, path) == (0 if answer else 1)


def test_without_haproxy_nothing_is_served(directory: Path) -> None:
    assert run(directory, directory.parent / "a") == 1
    assert run(directory) == 0


def run(directory: Path, *admin: Path) -> int:
    """As keepalived does."""
    command = [sys.executable, "-I", "-S", serving.__file__, str(directory), *map(str, admin)]
    return subprocess.run(command, check=False, timeout=30).returncode
