"""Several hosts on one machine: network namespaces, joined by a bridge that has a namespace of its own."""

import os
import subprocess
import threading
import uuid
from collections.abc import Callable, Sequence
from typing import IO, TypeVar

import pytest

from tests.support import forking
from tests.support.forkserver import enter
from tests.support.programs import find_program

WAIT = 60.0
T = TypeVar("T")


def require_namespaces() -> None:
    """Skips where this machine cannot have them; fails there where CI is set."""
    find_program("ip", package="iproute2")
    if os.geteuid() != 0:
        pytest.skip("network namespaces want root")


class NetLab:
    """Host number N is 10.77.0.N and fd77::N, on eth0. Nothing of the machine's own network is touched."""

    def __init__(self) -> None:
        self._prefix = f"libra-{uuid.uuid4().hex[:6]}"
        self._names: list[str] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._switch = self._make("switch")
        _ip("-n", self._switch, "link", "add", "br0", "type", "bridge", "forward_delay", "0")
        _ip("-n", self._switch, "link", "set", "br0", "up")

    def add(self, host: str) -> None:
        number = len(self._names)
        name = self._make(host)
        _ip("-n", name, "link", "set", "lo", "up")
        peer = ("peer", "name", "eth0", "netns", name)
        _ip("-n", self._switch, "link", "add", host, "type", "veth", *peer)
        _ip("-n", self._switch, "link", "set", host, "master", "br0", "up")
        _ip("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", "eth0")
        _ip("-n", name, "addr", "add", f"fd77::{number}/64", "dev", "eth0", "nodad")
        _ip("-n", name, "link", "set", "eth0", "up")

    def run(self, host: str, *command: str, check: bool = True) -> str:
        done = subprocess.run(
            self._inside(host, command), capture_output=True, text=True, timeout=WAIT, check=False
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def start(
        self, host: str, *command: str, output: IO[bytes] | int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        """Ended by `close` at the latest. It has the pid of the command itself."""
        process = forking.Popen(self._inside(host, command), stdout=output, stderr=output)
        self._processes.append(process)
        return process

    def cut(self, host: str) -> None:
        _ip("-n", self._switch, "link", "set", host, "down")

    def heal(self, host: str) -> None:
        _ip("-n", self._switch, "link", "set", host, "up")

    def address(self, host: str) -> str:
        """Its own, of IPv4."""
        return f"10.77.0.{self._names.index(f'{self._prefix}-{host}')}"

    def inside(self, host: str, call: Callable[[], T]) -> T:
        """Call it in a thread that is on that host: the sockets it makes are there, and stay there."""
        done: list[T] = []
        faults: list[BaseException] = []

        def run() -> None:
            try:
                enter(f"{self._prefix}-{host}")
                done.append(call())
            except BaseException as fault:  # noqa: BLE001 - it is raised again where it was called
                faults.append(fault)

        thread = threading.Thread(target=run, name=f"on {host}")
        thread.start()
        thread.join()
        if faults:
            raise faults[0]
        return done[0]

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait(WAIT)
        for name in self._names:
            subprocess.run(["ip", "netns", "del", name], check=False, timeout=WAIT)

    def _make(self, host: str) -> str:
        name = f"{self._prefix}-{host}"
        _ip("netns", "add", name)
        self._names.append(name)
        return name

    def _inside(self, host: str, command: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", f"{self._prefix}-{host}", *command]


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=WAIT)
