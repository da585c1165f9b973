"""Requests a second for lists and single load balancers out of 10,000, over HTTP, beside a bare FastAPI application.

The API runs in a process of its own, without a manager, and so does the bare application, which has one route that
answers a constant; wrk asks one after the other, over several connections at once.
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


def _measure(title: str, url: str, directory: Path, *, quick: bool) -> Table:
    count, seconds = (BALANCERS // 10, 2) if quick else (BALANCERS, 5)
    key = _prepare(url, directory, count)
    table = Table("request", "requests/s", "p50", "p99", "of the bare", title=f"{title}, {count:,}")
    with _served("bare") as other, _served(url, str(directory)) as base:
        bare = 0.0
        for name, address in {
            "bare FastAPI application": f"{other}/",
            "show": f"{base}{PATH}/{key}",
            "list, 20": f"{base}{PATH}?limit=20",
            "list, 20, from the middle": f"{base}{PATH}?limit=20&marker={key}",
            "list, 1,000": f"{base}{PATH}",
        }.items():
            rate, middle, late = _ask(address, seconds)
            bare = bare or rate
            table.add_row(name, f"{rate:.0f}", middle, late, f"{rate / bare:.2f} x")
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
def _served(*arguments: str) -> Iterator[str]:
    """Where it is."""
    command = [sys.executable, "-m", "tools.bench_parts.rest", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def _ask(url: str, seconds: int) -> tuple[float, str, str]:
    """Requests a second, p50 and p99 as wrk writes them; every answer is a good one."""
    first = urllib.request.Request(url, headers={"X-Auth-Token": SECRET})
    urllib.request.urlopen(first, timeout=30).close()  # what is built at first use is not measured
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "--latency"]
    done = subprocess.run(
        [*command, "-H", f"X-Auth-Token: {SECRET}", url],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    _, failures = parse_report(done.stdout)
    rate = _RATE.search(done.stdout)
    if failures or rate is None:
        raise SystemExit(f"{url}: {'; '.join(failures) or done.stdout}")
    late = dict(_LATE.findall(done.stdout))
    return float(rate[1]), late["50"], late["99"]


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
