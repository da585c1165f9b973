"""One STATS sweep: a controller asks 100 to 10,000 simulated devices how they do, through a real gearmand.

Controller, gearmand and devices (`libra simulate`'s) are processes of their own. All devices are due at once, so that
the sweep takes as long as it costs. Beside it the same number of bare gear echo jobs, by as many threads at once.
"""

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from libra.config.settings import JobServerSettings
from libra.model.device import DEFAULT_POOL, Device, DeviceState
from libra.simulation.fleet import SimulatedFleet, share_of_all
from libra.simulation.process import build_name
from libra.storage.schema import upgrade
from libra.storage.sql import open_storage
from tests.support.gearmand import Gearmand
from tests.support.postgres import installed_binaries, running_postgres
from tools.bench_parts import jobs
from tools.bench_parts.controlling import running_controller

COUNTS, QUICK_COUNTS = (100, 1_000, 5_000, 10_000), (50, 100)
PATTERN = "sim{}"
THREADS = 64  # as the controller's
REGISTER_SECONDS = 120.0
SWEEP_SECONDS = 600.0
FILES = 15_000
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Sweep:
    """Seconds until all have answered, and of processor time and MB of memory the controller took; those of the bare
    echo beside it.
    """

    devices: int
    seconds: float
    processor: float
    megabytes: float
    bare: float


def run(console: Console, *, quick: bool) -> None:
    """A table for each database."""
    counts = QUICK_COUNTS if quick else COUNTS
    with _sqlite() as new_url:
        console.print(_measure("SQLite", counts, new_url))
    if installed_binaries() is None:
        console.print("PostgreSQL: not measured, it is not installed")
        return
    with running_postgres() as server:
        console.print(_measure("PostgreSQL", counts, server.new_url))


@contextlib.contextmanager
def _sqlite() -> Iterator[Callable[[], str]]:
    with tempfile.TemporaryDirectory(prefix="lb") as name:
        numbers = iter(range(100))
        yield lambda: f"sqlite:///{name}/{next(numbers)}.db"


def _measure(title: str, counts: tuple[int, ...], new_url: Callable[[], str]) -> Table:
    heads = ("devices", "all answered, s", "ms each", "controller's CPU ms each", "its RSS MB")
    table = Table(*heads, "bare gear echo, s", "ratio", title=f"one STATS sweep, {title}")
    for count in counts:
        sweep = measure(count, new_url())
        each, cpu = sweep.seconds / count * 1000, sweep.processor / count * 1000
        row = (f"{sweep.seconds:.1f}", f"{each:.2f}", f"{cpu:.2f}", f"{sweep.megabytes:.0f}")
        ratio = sweep.seconds / sweep.bare
        table.add_row(f"{count:,}", *row, f"{sweep.bare:.2f}", f"{ratio:.1f} x")
    return table


def measure(count: int, url: str) -> Sweep:
    """On a new database."""
    with tempfile.TemporaryDirectory(prefix="lb") as name, Gearmand(f"-f{FILES}") as gearmand:
        bare = _echo(gearmand.port, count)
        fill(url, count)
        servers = [JobServerSettings(port=gearmand.port)]
        share = share_of_all(servers, count, name=PATTERN, pool="default", announce_to="")
        with SimulatedFleet(share, 2) as fleet:
            _await(lambda: fleet.look(1.0).connected == count, REGISTER_SECONDS)
            with running_controller(url, Path(name), gearmand.port) as ports:
                started, (before, _) = time.monotonic(), _costs(ports.pid)
                _await(lambda: fleet.look(0.2).answered["STATS"] >= count, SWEEP_SECONDS)
                seconds, (after, megabytes) = time.monotonic() - started, _costs(ports.pid)
                return Sweep(count, seconds, after - before, megabytes, bare)


def fill(url: str, count: int) -> None:
    """Devices that were seen a minute ago, so that all are due."""
    upgrade(url)
    storage = open_storage(url)
    seen = datetime.fromtimestamp(time.time() - 60, UTC)
    with storage.writing() as unit:
        for number in range(count):
            name = build_name(PATTERN, number, count)
            unit.devices.add(
                Device(
                    id=f"{number:08}-0000-4000-8000-000000000000",
                    name=name,
                    address="127.0.0.1",
                    pool_id=DEFAULT_POOL,
                    state=DeviceState.SPARE,
                    protocol="2.0",
                    created_at=seen,
                    last_seen=seen,
                )
            )
    storage.close()


def _echo(port: int, count: int) -> float:
    """Seconds of so many bare jobs."""
    rest = iter(range(count))
    lock = threading.Lock()

    def submit_some() -> None:
        while True:
            with lock:
                if next(rest, None) is None:
                    return
            submit(jobs.PAYLOAD)

    with jobs.worker("nodelay", port), jobs.client("nodelay", port) as submit:
        threads = [threading.Thread(target=submit_some) for _ in range(THREADS)]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.monotonic() - started


def _costs(pid: int) -> tuple[float, float]:
    """Seconds of processor time since its start, MB of memory now."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return (int(fields[11]) + int(fields[12])) / TICK, pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _await(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("cannot measure: the devices did not answer in time")
