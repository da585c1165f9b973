"""HTTP servers that a rollout changes: a process each, started anew in another version by a program of its own.

Run as a program it is one of them: `python members.py NAME ADDRESS PORT DIRECTORY`. A version that begins with
"broken" answers 500 to everything. `/slow` takes two seconds.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SLOW_SECONDS = 2.0
RESTART = """\
import os, pathlib, signal, subprocess, sys, time
name, address, port, directory, version = sys.argv[1:]
home = pathlib.Path(directory)
pid = int((home / f"{name}.pid").read_text())
os.kill(pid, signal.SIGKILL)  # whatever it was doing is lost
print("killed", pid)
(home / f"{name}.version").write_text(version)
log = (home / f"{name}.log").open("ab")
command = [sys.executable, MEMBERS, name, address, port, directory]
subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
print("started", version)
"""


class Members:
    """`names` are web1 and so on; each listens on its own loopback address, all on one port."""

    def __init__(self, directory: Path, network: str, port: int, count: int = 5) -> None:
        self.directory = directory
        self.port = port
        self.addresses = {f"web{n}": f"{network}.{n}" for n in range(1, count + 1)}
        self._first: list[subprocess.Popen[bytes]] = []
        self.script = directory / "restart.py"
        self.script.write_text(RESTART.replace("MEMBERS", repr(str(Path(__file__).resolve()))))

    @property
    def names(self) -> list[str]:
        return list(self.addresses)

    def start(self) -> None:
        for name, address in self.addresses.items():
            (self.directory / f"{name}.version").write_text("1")
            command = [sys.executable, str(Path(__file__).resolve()), name, address]
            with (self.directory / f"{name}.log").open("ab") as log:
                process = subprocess.Popen(
                    [*command, str(self.port), str(self.directory)],
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            self._first.append(process)

    def restart(self, version: str) -> list[str]:
        """The command that kills a node's server, whatever it does, and starts one of that version."""
        return [
            *(sys.executable, str(self.script), "{node}", "{address}", str(self.port)),
            *(str(self.directory), version),
        ]

    def versions(self) -> dict[str, str]:
        """What is meant to run."""
        return {name: (self.directory / f"{name}.version").read_text() for name in self.addresses}

    def close(self) -> None:
        for name in self.addresses:
            with suppress(OSError, ValueError):
                os.kill(int((self.directory / f"{name}.pid").read_text()), signal.SIGKILL)
        for process in self._first:
            process.kill()
            process.wait()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    version, name = "", ""

    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(SLOW_SECONDS)
        body = f"{self.name} {self.version}".encode()
        self.send_response(500 if self.version.startswith("broken") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Nothing."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


def main() -> None:
    """Serves until it is killed."""
    name, address, port, directory = sys.argv[1:]
    _Handler.name = name
    _Handler.version = Path(directory, f"{name}.version").read_text()
    server = _Server((address, int(port)), _Handler)
    beside = Path(directory, f"{name}.pid.new")
    beside.write_text(str(os.getpid()))
    beside.rename(Path(directory, f"{name}.pid"))
    server.serve_forever()


if __name__ == "__main__":
    main()
