"""Runs job server, worker and HAProxy on this machine and shows what they do, with real requests.

Everything lives in one directory that is removed at the end; every command it shows is a command it ran.
"""

import argparse
import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.panel import Panel

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
DEVICE = "demo"
START_SECONDS = 20.0

console = Console(highlight=False, soft_wrap=True)


class DemoFailed(Exception):
    """Something did not do what it should; the text says what."""


def free_port(wanted: int | None = None) -> int:
    """`wanted` where nobody has it, else any free one."""
    for port in filter(None, (wanted, 0)) if wanted else (0,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    return free_port()


def wait_for(what: str, ready: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Returns as soon as `ready()`; raises `DemoFailed` at the deadline."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise DemoFailed(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.05)


def accepts(port: int) -> bool:
    """True where somebody listens on the loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class SampleWebServer:
    """Answers every GET with its own name."""

    def __init__(self, name: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = f"hello from {name}\n".encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """A health check may hang up first; that is no news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop and wait for the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class Demo:
    """The running system: everything it starts, it stops."""

    def __init__(self, stack: ExitStack, port: int | None, job_port: int | None) -> None:
        self._stack = stack
        self.directory = Path(tempfile.mkdtemp(prefix="libra-"))
        stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
        self.port = free_port(port or 8080)
        self.job_port = free_port(job_port or 4730)
        self.config = self.directory / "libra.yaml"
        self.servers = [SampleWebServer(name) for name in ("web-1", "web-2")]
        for server in self.servers:
            stack.callback(server.close)

    def start(self) -> None:
        """Job server first, then the worker, which starts HAProxy."""
        self._write_config()
        self._run("libra", "jobserver", "--port", str(self.job_port))
        wait_for("the start of the job server", lambda: accepts(self.job_port))
        self._stack.callback(self._stop_haproxy)
        worker = self._run("libra-worker", "--config", str(self.config))
        wait_for("the first answer of the worker", lambda: self._discovered(worker))

    def send(
        self, action: str, message: dict[str, Any] | None = None, *, quiet: bool = False
    ) -> dict[str, Any]:
        """`libra job send`, shown as typed, with its output; returns the reply of a second, silent look."""
        command = ["libra", "job", "send", action, "--device", DEVICE]
        command += ["--job-server", f"127.0.0.1:{self.job_port}"]
        stdin = None
        if message is not None:
            command += ["--message", "-"]
            stdin = json.dumps(message)
        if not quiet:
            console.print(
                f"[bold green]$[/] {' '.join(command)}"
                + (" [dim]< message.json[/]" if stdin else "")
            )
        done = subprocess.run(
            [str(BIN / command[0]), *command[1:], *(["-o", "json"] if quiet else [])],
            input=stdin,
            text=True,
            timeout=60,
            check=False,
            capture_output=quiet,
        )
        if done.returncode and not quiet:
            raise DemoFailed(f"{action} failed (exit {done.returncode}); see {self.directory}")
        return dict(json.loads(done.stdout)) if quiet and done.stdout.strip() else {}

    def update(self) -> dict[str, Any]:
        """The message that balances over the two sample servers."""
        nodes = [
            {"id": f"web-{n}", "address": "127.0.0.1", "port": server.port}
            for n, server in enumerate(self.servers, 1)
        ]
        return {
            "hpcs_action": "UPDATE",
            "loadbalancers": [
                {
                    "id": "15",
                    "name": "demo",
                    "protocol": "HTTP",
                    "bind_address": "127.0.0.1",
                    "port": self.port,
                    "nodes": nodes,
                    "monitor": {"type": "HTTP", "delay": 1, "timeout": 1, "attempts": 1},
                }
            ],
        }

    def request(self) -> str:
        """The body of one real request through HAProxy, on a connection of its own."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as answer:
            return str(answer.read().decode().strip())

    def refuses(self) -> bool:
        """True where a new connection is refused."""
        return not accepts(self.port)

    def _write_config(self) -> None:
        run = self.directory
        settings = {
            "job_servers": [{"host": "127.0.0.1", "port": self.job_port}],
            "worker": {"name": DEVICE, "state_dir": str(run / "state")},
            "haproxy": {
                "supervisor": "own",
                "config_file": str(run / "state" / "haproxy.cfg"),
                "admin_socket": str(run / "admin.sock"),
                "master_socket": str(run / "master.sock"),
                "log_file": str(run / "haproxy.log"),
            },
            "object_stores": {"swift": {"allowed_endpoints": ["http://127.0.0.1:*"]}},
        }
        self.config.write_text(yaml.safe_dump(settings, sort_keys=False))

    def _run(self, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        log = (self.directory / f"{program}.log").open("ab")
        self._stack.callback(log.close)
        process = subprocess.Popen(
            [str(BIN / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self._stack.callback(stop, process)
        return process

    def _discovered(self, worker: "subprocess.Popen[bytes]") -> bool:
        if worker.poll() is not None:
            log = (self.directory / "libra-worker.log").read_text(errors="replace")
            raise DemoFailed(f"libra-worker ended with {worker.returncode}:\n{log[-2000:]}")
        return self.send("DISCOVER", quiet=True).get("hpcs_response") == "PASS"

    def _stop_haproxy(self) -> None:
        """HAProxy outlives its worker on purpose; a demo takes it along."""
        from libra.drivers.haproxy.master import MasterSocket
        from libra.errors import LibraError

        try:
            pid = MasterSocket(self.directory / "master.sock").show_processes().master.pid
            os.kill(pid, signal.SIGTERM)
        except (LibraError, OSError):
            return
        wait_for("the end of HAProxy", lambda: not Path(f"/proc/{pid}").exists(), 10)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """TERM, then KILL."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


def show_traffic(demo: Demo, count: int = 10) -> None:
    """Real requests, and who answered."""
    console.print(
        f"[bold green]$[/] for i in $(seq {count}); do curl -s http://127.0.0.1:{demo.port}/; done"
    )
    wait_for("an answer from both servers", lambda: len({demo.request() for _ in range(4)}) == 2)
    answers = Counter(demo.request() for _ in range(count))
    for body, times in sorted(answers.items()):
        console.print(f"  {body}  [bold]x {times}[/]")
    if len(answers) != len(demo.servers):
        raise DemoFailed(f"only {', '.join(answers)} answered")


def balance(demo: Demo) -> None:
    """The first half, common to both ways of running."""
    console.rule("[bold]DISCOVER: who is there?")
    demo.send("DISCOVER")
    console.rule("[bold]UPDATE: balance over two web servers")
    demo.send("UPDATE", demo.update())
    show_traffic(demo)
    console.rule("[bold]STATS: what HAProxy says")
    demo.send("STATS")


def go_through(demo: Demo) -> None:
    """The other four actions, each with a proof."""
    console.rule("[bold]SUSPEND: refuse new connections")
    demo.send("SUSPEND")
    prove(f"port {demo.port} refuses connections", demo.refuses())
    console.rule("[bold]ENABLE: bring back what was")
    demo.send("ENABLE")
    show_traffic(demo)
    console.rule("[bold]ARCHIVE: the access log, into a real Swift")
    archive(demo)
    console.rule("[bold]DELETE: forget everything")
    demo.send("DELETE")
    prove(f"port {demo.port} refuses connections", demo.refuses())


def archive(demo: Demo) -> None:
    """Starts OpenStack Swift on loopback, sends the log there, and reads it back."""
    from tests.support.swift_lab import SwiftLab

    console.print("[dim]starting OpenStack Swift on loopback ...[/]")
    with SwiftLab(demo.directory / "swift") as swift:
        demo.send(
            "ARCHIVE",
            {
                "hpcs_object_store_type": "swift",
                "hpcs_object_store_basepath": "lbaaslogs",
                "hpcs_object_store_endpoint": swift.storage_url,
                "hpcs_object_store_token": swift.token(),
                "loadbalancers": [{"id": "15", "protocol": "HTTP"}],
            },
        )
        (name,) = swift.names("lbaaslogs")
        lines = gzip.decompress(swift.download(f"lbaaslogs/{name}")).decode().splitlines()
    console.print(f"[bold green]$[/] swift download lbaaslogs {name} -o - | zcat | tail -n 1")
    console.print(f"  {lines[-1]}", markup=False)
    prove(f"the archive holds {len(lines)} lines of this load balancer", len(lines) > 0)


def prove(sentence: str, holds: bool) -> None:
    """A line with a tick, or the end."""
    if not holds:
        raise DemoFailed(f"not so: {sentence}")
    console.print(f"  [green]✓[/] {sentence}")


def stay(demo: Demo) -> None:
    """Until Ctrl-C."""
    server = f"--device {DEVICE} --job-server 127.0.0.1:{demo.job_port}"
    console.print(
        Panel.fit(
            f"curl http://127.0.0.1:{demo.port}/\n"
            f".venv/bin/libra job send STATS    {server}\n"
            f".venv/bin/libra job send SUSPEND  {server}\n"
            f".venv/bin/libra job send ENABLE   {server}\n"
            f"less {demo.directory}/haproxy.log   [dim]and libra.yaml, state/haproxy.cfg beside it[/]",
            title="libra is up. Try, in another terminal",
            subtitle="Ctrl-C stops everything",
            padding=(1, 2),
        )
    )
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    try:
        stopped.wait()
    except KeyboardInterrupt:
        console.print("\nstopping ...")


def main() -> int:
    """Exit status 0, or 1 with the reason."""
    parser = argparse.ArgumentParser(prog="tools/run", description=__doc__)
    parser.add_argument(
        "--demo", action="store_true", help="go through all seven actions, then stop"
    )
    parser.add_argument(
        "--port", type=int, help="where the load balancer listens (default 8080, or a free one)"
    )
    parser.add_argument(
        "--job-port", type=int, help="where the job server listens (default 4730, or a free one)"
    )
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    started = time.monotonic()
    try:
        with ExitStack() as stack:
            demo = Demo(stack, options.port, options.job_port)
            demo.start()
            console.print(
                f"job server, worker and HAProxy are up after {time.monotonic() - started:.1f} s\n"
            )
            balance(demo)
            go_through(demo) if options.demo else stay(demo)
    except (DemoFailed, urllib.error.URLError, subprocess.SubprocessError, OSError) as error:
        console.print(f"[bold red]failed:[/] {error}", style=None)
        return 1
    except KeyboardInterrupt:
        return 130
    console.print(
        f"[bold green]done[/] in {time.monotonic() - started:.1f} s, nothing left running"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
