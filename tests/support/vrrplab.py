"""Hosts that share addresses by VRRP: each with a job server, a worker, its HAProxy and keepalived, and a web server
that says the host's name; and a client that asks an address again and again.
"""

import os
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.support.haproxy import is_running
from tests.support.labhost import MEMBER, WAIT, LabHost
from tests.support.netlab import NetLab
from tests.support.ports import wait_until
from tests.support.programs import find_program

NOBODY = "-"
ASK_SECONDS, PATIENCE_SECONDS = 0.02, 0.5


class VrrpHost(LabHost):
    """`vrrp` are settings on top."""

    def __init__(self, lab: NetLab, name: str, directory: Path, **vrrp: Any) -> None:
        given = {
            "interface": "eth0",
            "supervisor": "own",
            "binary": find_program("keepalived", package="keepalived"),
            "config_file": str(directory / name / "keepalived.conf"),
            **vrrp,
        }
        networks = ["10.77.0.96/27", "fd77::100/120"]
        vip = {"adapter": "keepalived", "networks": networks, "vrrp": given}
        super().__init__(lab, name, directory, vip=vip)

    def serve(self, *addresses: str) -> None:
        """An UPDATE that must pass; of one address, or two."""
        node = {"address": "127.0.0.1", "port": str(MEMBER)}
        balancers = [
            {"protocol": protocol, "port": port, "bind_address": one, "nodes": [node]}
            for (protocol, port), one in zip((("HTTP", 80), ("TCP", 81)), addresses, strict=False)
        ]
        reply = self.send("UPDATE", loadbalancers=balancers)
        assert reply.get("hpcs_response") == "PASS", reply

    def kill_haproxy(self) -> None:
        _kill(self.haproxy())

    def kill_keepalived(self) -> None:
        _kill(self.keepalived())

    def kill_everything(self) -> None:
        """Nobody gets to clear anything away."""
        _kill([self.process.pid, *self.keepalived(), *self.haproxy()])
        self.process.wait(WAIT)

    def haproxy(self) -> list[int]:
        """All of its processes."""
        return self._on(self.directory / "haproxy.cfg")

    def keepalived(self) -> list[int]:
        """The process ids, the parent's first."""
        return self._on(self.directory / "keepalived.conf")

    def close(self) -> None:
        """The worker first, which would start keepalived again."""
        with suppress(OSError):
            super().close()
        self.kill_keepalived()

    def tell(self) -> None:
        """What was said, for whoever reads why a test failed."""
        for name in ("worker.log", "keepalived.err", "keepalived.conf"):
            path = self.directory / name
            text = path.read_text(errors="replace") if path.exists() else ""
            print(f"== {self.name} {name}", text[-4000:], sep="\n")  # noqa: T201 - pytest shows it then

    def _on(self, file: Path) -> list[int]:
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if bytes(file) in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
        return sorted(found)


class VrrpLab:
    """web1 and web2, the first with the higher priority, and the client."""

    def __init__(self, directory: Path, **vrrp: Any) -> None:
        self.lab = NetLab()
        self.hosts: list[VrrpHost] = []
        try:
            self.lab.add("client")
            for name, priority in (("web1", 150), ("web2", 100)):
                self.hosts.append(VrrpHost(self.lab, name, directory, priority=priority, **vrrp))
        except BaseException:
            self.close()
            raise

    def watch(self, address: str) -> "Watch":
        return self.lab.inside("client", lambda: Watch(address))

    def close(self) -> None:
        for host in self.hosts:
            host.tell()
            host.close()
        self.lab.close()


class Watch:
    """Asks an address every 20 ms, from the host of the thread that makes it. `seen` is (when, who) at each change."""

    def __init__(self, address: str) -> None:
        self.seen: list[tuple[float, str]] = []
        self._family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._address = address
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    @property
    def now(self) -> str:
        return self.seen[-1][1] if self.seen else NOBODY

    def wait(self, name: str, within: float = WAIT) -> float:
        """Until that host answers, in seconds."""
        begin = time.monotonic()
        wait_until(lambda: self.now == name, timeout=within, what=f"an answer of {name}")
        return time.monotonic() - begin

    def since(self, when: float) -> list[str]:
        """Who answered from then on, in order; a question that nobody answers is nobody's turn."""
        names = [name for at, name in self.seen if at >= when and name != NOBODY]
        return [name for name, _ in groupby(names)]

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(WAIT)

    def _run(self) -> None:
        while not self._stopping.wait(ASK_SECONDS):
            name = self._ask()
            if name != self.now or not self.seen:
                self.seen.append((time.monotonic(), name))

    def _ask(self) -> str:
        try:
            with socket.socket(self._family, socket.SOCK_STREAM) as connection:
                connection.settimeout(PATIENCE_SECONDS)
                connection.connect((self._address, 80))
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                answer = b""
                while block := connection.recv(4096):
                    answer += block
        except OSError:
            return NOBODY
        body = answer.rpartition(b"\r\n\r\n")[2].decode()  # none where HAProxy ended meanwhile
        return body if body and b" 200 " in answer[:16] else NOBODY


def _kill(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_running, pids)), timeout=WAIT, what=f"the end of {pids}")


def monitor(lab: NetLab, host: str, file: Path) -> "subprocess.Popen[bytes]":
    """Writes down what happens to its addresses."""
    with file.open("wb") as output:
        return lab.start(host, "ip", "monitor", "address", output=output)
