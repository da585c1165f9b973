"""What is sent to the service manager, on a real datagram socket."""

import socket
import tempfile
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from libra.daemon.systemd import Notifier, build_notifier


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    """Bound by each test, to a path or to an abstract name."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(5)
        yield receiver


def received(manager: socket.socket) -> list[str]:
    return manager.recv(4096).decode().split("\n")


def test_ready_goes_to_a_socket_in_the_file_system(manager: socket.socket) -> None:
    with tempfile.TemporaryDirectory(prefix="lb") as directory:
        path = Path(directory) / "notify"
        manager.bind(str(path))
        build_notifier({"NOTIFY_SOCKET": str(path)}).ready("registered at 1 of 1 job servers")
        assert received(manager) == ["READY=1", "STATUS=registered at 1 of 1 job servers"]


def test_an_abstract_socket_is_written_with_an_at_sign(manager: socket.socket) -> None:
    name = f"libra-{uuid.uuid4()}"
    manager.bind(f"\0{name}")
    build_notifier({"NOTIFY_SOCKET": f"@{name}"}).alive()
    assert received(manager) == ["WATCHDOG=1"]


def test_what_would_end_a_line_cannot_forge_a_state(manager: socket.socket) -> None:
    name = f"libra-{uuid.uuid4()}"
    manager.bind(f"\0{name}")
    Notifier(f"@{name}").status("cannot restore:\nREADY=1\r\n  MAINPID=1")
    assert received(manager) == ["STATUS=cannot restore: READY=1 MAINPID=1"]


def test_reloading_tells_when(manager: socket.socket) -> None:
    name = f"libra-{uuid.uuid4()}"
    manager.bind(f"\0{name}")
    Notifier(f"@{name}").reloading()
    state, moment = received(manager)
    assert state == "RELOADING=1"
    assert moment.startswith("MONOTONIC_USEC=")
    assert moment.partition("=")[2].isdigit()


def test_stopping_asks_for_the_time_it_needs(manager: socket.socket) -> None:
    name = f"libra-{uuid.uuid4()}"
    manager.bind(f"\0{name}")
    Notifier(f"@{name}").stopping("finishing 2 jobs", timedelta(seconds=75))
    assert received(manager) == [
        "STOPPING=1",
        "STATUS=finishing 2 jobs",
        "EXTEND_TIMEOUT_USEC=75000000",
    ]


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "vsock:2:1234", "@", "relative"])
def test_nobody_there_is_no_fault(address: str) -> None:
    build_notifier({"NOTIFY_SOCKET": address}).ready("all is well")
