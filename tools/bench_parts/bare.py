"""A HAProxy by hand: its file written, checked and loaded by the master; servers added on the admin socket.

Its file spares HAProxy the reading of the system's certificate authorities, as libra's does: else each check and each
reload takes some 20 ms more.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from libra.drivers.haproxy.binary import find_binary
from libra.drivers.haproxy.master import MasterSocket
from libra.drivers.haproxy.runtime import AdminSocket
from libra.errors import ProxyNotRunning

PORT = 8080
START_SECONDS = 30
HEAD = """\
global
    stats socket {admin} mode 600 level admin expose-fd listeners
    hard-stop-after 60s
    httpclient.ssl.verify none

defaults
    mode http
    timeout connect 5s
    timeout client 50s
    timeout server 50s
"""
BALANCER = """
frontend fe-{number}
    bind {address}:{port}
    default_backend be-{number}

backend be-{number}
    balance roundrobin
    option httpchk GET /
    timeout check 2s
    server first 127.0.0.1:{member} check inter 5s fall 3 rise 2
"""


class BareHAProxy:
    """As many load balancers as its `grow` was called, each on an address of its own, with one member.

    `admin` is its socket; backends are be-1 and so on.
    """

    def __init__(self, directory: Path, member: int) -> None:
        self._binary = str(find_binary(None, os.environ.get("PATH", os.defpath)))
        self._file = directory / "haproxy.cfg"
        self._admin_path, self._master_path = directory / "a", directory / "m"
        self._member = member
        self._count = 0
        self.admin = AdminSocket(self._admin_path)
        self._master = MasterSocket(self._master_path)

    @contextmanager
    def running(self) -> Iterator[None]:
        """With one load balancer."""
        self._count = 1
        self._write()
        command = [self._binary, "-W", "-S", f"{self._master_path},mode,600", "-f", str(self._file)]
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                self.settle()
                yield
            finally:
                process.terminate()

    def grow(self) -> str:
        """One more load balancer, and where it will listen: the master has been told to load it."""
        self._count += 1
        self._write()
        subprocess.run(
            [self._binary, "-c", "-f", str(self._file)], check=True, capture_output=True, timeout=60
        )
        self._master.reload(timedelta(seconds=START_SECONDS))
        return _address(self._count)

    def settle(self) -> None:
        """Both sockets answer: a master that just starts itself anew loses a reload."""
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline:
                raise SystemExit("the bare HAProxy does not answer")
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            self.admin.ask("show info")
            return bool(self._master.show_processes_now().workers)
        except ProxyNotRunning:
            return False

    def _write(self) -> None:
        parts = [HEAD.format(admin=self._admin_path)]
        parts += [
            BALANCER.format(number=n, address=_address(n), port=PORT, member=self._member)
            for n in range(1, self._count + 1)
        ]
        self._file.write_text("".join(parts))


def _address(number: int) -> str:
    """Away from libra's own pool."""
    return f"127.0.2.{number}"
