"""Requests a second for lists and single load balancers out of 10,000, over HTTP, beside a bare FastAPI application.

The API runs in a process of its own, without a manager, and so does the bare application, which has one route that
answers a constant; wrk asks them by turns, over several connections at once. The ratio is to the bare rate measured
right before; processor time is the server's own, which a busy machine changes less.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from rich.console import Console
from rich.table import Table

from libra.model.access import Role
from libra.storage.schema import upgrade
from libra.storage.sql import open_storage
from libra.usecases.services import Services
from libra.usecases.tokens import store_token
from libra.vault import open_vault
from tests.support.postgres import installed_binaries, running_postgres
from tools.bench_parts.storage import fill
from tools.bench_parts.wrk import parse_report

BALANCERS = 10_000
CONNECTIONS = 8
SECRET = "bench"
PATH = "/load-balancer/v2.0/lbaas/loadbalancers"
_RATE = re.compile(r"^Requests/sec:\s+([0-9.]+)", re.MULTILINE)
_LATE = re.compile(r"^\s+(50|99)%\s+(\S+)", re.MULTILINE)


def run(console: Console, *, quick: bool) -> None:
    """A table for each database."""
    with tempfile.TemporaryDirectory() as directory:
        url = f"sqlite:///{directory}/libra.db"
        console.print(_measure("SQLite", url, Path(directory), quick=quick))
        if installed_binaries() is None:
            console.print("PostgreSQL: not measured, its server is not installed")
            return
        with running_postgres() as server:
            console.print(_measure("PostgreSQL", server.new_url(), Path(directory), quick=quick))


@dataclass(frozen=True, slots=True)
class Server:
    """A process that serves, and where."""

    pid: int
    address: str

    def processor_seconds(self) -> float:
        """Its own, so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Rate:
    """Of one path: requests a second, latencies as wrk writes them, milliseconds of the server's processor time."""

    a_second: float
    middle: str
    late: str
    processor_ms: float

    def cells(self) -> tuple[str, ...]:
        """For the table."""
        return f"{self.a_second:.0f}", self.middle, self.late, f"{self.processor_ms:.2f}"


def _measure(title: str, url: str, directory: Path, *, quick: bool) -> Table:
    count, seconds = (BALANCERS // 10, 2) if quick else (BALANCERS, 5)
    key = _prepare(url, directory, count)
    columns = ("request", "clients", "requests/s", "p50", "p99", "CPU ms", "of the bare")
    table = Table(*columns, title=f"{title}, {count:,} load balancers")
    with served("bare") as other, served(url, str(directory)) as api:
        for name, path, clients in (
            ("show", f"{PATH}/{key}", CONNECTIONS),
            ("list, 20", f"{PATH}?limit=20", CONNECTIONS),
            ("list, 20, from the middle", f"{PATH}?limit=20&marker={key}", CONNECTIONS),
            ("list, 1,000", PATH, CONNECTIONS),
            ("list, 1,000", PATH, 1),
        ):
            bare = ask(other, "/", clients, seconds)
            found = ask(api, path, clients, seconds)
            table.add_row("bare", str(clients), *bare.cells(), "")
            ratio = f"{found.a_second / bare.a_second:.2f} x"
            table.add_row(name, str(clients), *found.cells(), ratio, end_section=True)
    return table


def _prepare(url: str, directory: Path, count: int) -> str:
    """Full of load balancers; the id of one in their middle."""
    upgrade(url)
    storage = open_storage(url)
    try:
        made = fill(storage, count)
        services = Services(storage=storage, sealer=open_vault(directory / "key"))
        from libra.manager.settle import MANAGER

        store_token(services, MANAGER, "bench", Role.ADMIN, SECRET)
        return made[count // 2].id
    finally:
        storage.close()


@contextmanager
def served(*arguments: str) -> Iterator[Server]:
    """Until the block ends."""
    command = [sys.executable, "-m", "tools.bench_parts.rest", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        try:
            yield Server(process.pid, f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.kill()


def ask(server: Server, path: str, clients: int, seconds: int) -> Rate:
    """Every answer is a good one."""
    url = server.address + path
    first = urllib.request.Request(url, headers={"X-Auth-Token": SECRET})
    urllib.request.urlopen(first, timeout=30).close()  # what is built at first use is not measured
    before = server.processor_seconds()
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "--latency"]
    done = subprocess.run(
        [*command, "-H", f"X-Auth-Token: {SECRET}", url],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    spent = server.processor_seconds() - before
    requests, failures = parse_report(done.stdout)
    rate = _RATE.search(done.stdout)
    if failures or rate is None or not requests:
        raise SystemExit(f"{url}: {'; '.join(failures) or done.stdout}")
    late = dict(_LATE.findall(done.stdout))
    return Rate(float(rate[1]), late["50"], late["99"], spent / requests * 1000)


def serve(arguments: Sequence[str]) -> None:
    """Until killed; its port on standard output."""
    from libra.api.server import ApiServer
    from libra.config.controller import ApiSettings
    from libra.daemon.heap import freeze_heap

    app = _build_bare() if arguments[0] == "bare" else _build(*arguments)
    server = ApiServer(app, ApiSettings(), 0)
    server.start()
    freeze_heap()
    print(server.port, flush=True)
    threading.Event().wait()


def _build(url: str, directory: str) -> FastAPI:
    from libra.api.app import ApiParts, create_app

    services = Services(storage=open_storage(url), sealer=open_vault(Path(directory) / "key"))
    return create_app(ApiParts(services=services))


def _build_bare() -> FastAPI:
    app = FastAPI()

    @app.get("/")
    def answer() -> dict[str, str]:
        return {"status": "ok"}

    return app


if __name__ == "__main__":
    from libra.logs import configure_logging

    configure_logging(level="error", as_json=False)
    serve(sys.argv[1:])
