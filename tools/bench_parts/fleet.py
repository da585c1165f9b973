"""200 load balancers made at once on 200 simulated workers, over REST, until all are ACTIVE.

Controller, job server, workers and clients are processes of their own. Once on SQLite with the embedded job server,
once on PostgreSQL with gearmand, where both are installed.
"""

import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.support.gearmand import Gearmand
from tests.support.postgres import installed_binaries, running_postgres
from tools.bench_parts.api import percentiles
from tools.bench_parts.controlling import Ports, running_controller
from tools.bench_parts.restclient import LBAAS, RestClient, whole
from tools.bench_parts.simulated import name_of, running_workers

WORKERS, QUICK_WORKERS = 200, 20
CLIENTS = 16
READY_SECONDS = 120.0
ACTIVE_SECONDS = 180.0
LOOK_SECONDS = 0.05
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Outcome:
    """Seconds: until the last create was answered and until the last was ACTIVE, of each create's answer, and from
    each create to ACTIVE; jobs by state; how many devices have a load balancer.
    """

    answered: float
    active: float
    each_answered: list[float]
    each_active: list[float]
    jobs: Counter[str]
    devices: int


def run(console: Console, *, quick: bool) -> None:
    """One table, a column for each installation."""
    count = QUICK_WORKERS if quick else WORKERS
    found: dict[str, Outcome] = {}
    with _sqlite() as (url, directory):
        found["SQLite, embedded job server"] = measure(url, directory, 0, count)
    if installed_binaries() is None or shutil.which("gearmand") is None:
        console.print("PostgreSQL with gearmand: not measured, they are not installed")
    else:
        with _postgres() as (url, directory), Gearmand() as gearmand:
            found["PostgreSQL, gearmand"] = measure(url, directory, gearmand.port, count)
    title = f"{count} load balancers on {count} workers, {CLIENTS} clients"
    console.print(_build_table(title, found))


def _build_table(title: str, found: dict[str, Outcome]) -> Table:
    table = Table("", *found, title=title)
    rows: dict[str, Callable[[Outcome], str]] = {
        "all creates answered, s": lambda item: f"{item.answered:.1f}",
        "all ACTIVE, s": lambda item: f"{item.active:.1f}",
        "a create's answer, p50 and p99 ms": lambda item: _milliseconds(item.each_answered),
        "create to ACTIVE, p50 and p99 ms": lambda item: _milliseconds(item.each_active),
        "devices that have one": lambda item: str(item.devices),
        "jobs failed or expired": lambda item: str(item.jobs["failed"] + item.jobs["expired"]),
        "jobs": lambda item: ", ".join(f"{n} {state}" for state, n in sorted(item.jobs.items())),
    }
    for name, show in rows.items():
        table.add_row(name, *map(show, found.values()))
    return table


def _milliseconds(values: list[float]) -> str:
    return ", ".join(f"{value * 1000:.0f}" for value in percentiles(values))


@contextmanager
def _sqlite() -> Iterator[tuple[str, Path]]:
    with tempfile.TemporaryDirectory(prefix="lb") as name:
        yield f"sqlite:///{name}/libra.db", Path(name)


@contextmanager
def _postgres() -> Iterator[tuple[str, Path]]:
    with tempfile.TemporaryDirectory(prefix="lb") as name, running_postgres() as server:
        yield server.new_url(), Path(name)


def measure(url: str, directory: Path, job_port: int, count: int) -> Outcome:
    """As many workers as load balancers; ends the run where not all become ACTIVE."""
    with ExitStack() as stack:
        ports = stack.enter_context(running_controller(url, directory, job_port))
        stack.enter_context(running_workers(ports.jobs, count))
        client = stack.enter_context(RestClient(ports.api, ports.token))
        for number in range(count):
            client.post("/v1/devices", {"name": name_of(number), "address": "127.0.0.1"})
        # Spread over all: by default a project is given as few devices as hold what it has.
        client.put("/v1/device-pools/default", {"shared": True})
        _wait(lambda: _is_ready(client, count), READY_SECONDS, "the devices")
        return _create_all(ports, count)


def _create_all(ports: Ports, count: int) -> Outcome:
    started = time.time()
    begun: dict[str, float] = {}
    answers: list[float] = []
    lock = threading.Lock()

    def create(numbers: range) -> None:
        with RestClient(ports.api, ports.token) as own:
            for number in numbers:
                before = time.time()
                made = own.post(f"{LBAAS}/loadbalancers", whole(f"lb{number}", 80))
                with lock:
                    answers.append(time.time() - before)
                    begun[made["loadbalancer"]["id"]] = before

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(create, [range(first, count, CLIENTS) for first in range(CLIENTS)]))
    answered = time.time() - started
    # A connection of its own: the API closes one that was idle for as long as all creates may take.
    with RestClient(ports.api, ports.token) as client:
        _wait(lambda: _is_active(client), ACTIVE_SECONDS, "the load balancers")
        active = time.time() - started
        return Outcome(
            answered=answered,
            active=active,
            each_answered=answers,
            each_active=[at - begun[key] for key, at in _activations(client).items()],
            jobs=Counter(job["state"] for job in _all_jobs(client)),
            devices=sum(item["loadbalancers"] > 0 for item in _devices(client)),
        )


def _activations(client: RestClient) -> dict[str, float]:
    """When each became ACTIVE, by the controller's clock, which is the same machine's."""
    events = client.get(f"/v1/events?kind=loadbalancer.active&limit={PAGE}")["events"]
    return {item["subject_id"]: datetime.fromisoformat(item["at"]).timestamp() for item in events}


def _all_jobs(client: RestClient) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = client.get(f"/v1/jobs?limit={PAGE}")["jobs"]
    return jobs


def _devices(client: RestClient) -> list[dict[str, Any]]:
    devices: list[dict[str, Any]] = client.get(f"/v1/devices?limit={PAGE}")["devices"]
    return devices


def _is_ready(client: RestClient, count: int) -> bool:
    return sum(item["state"] in ("SPARE", "ASSIGNED") for item in _devices(client)) == count


def _is_active(client: RestClient) -> bool:
    """Ends the run where one is in ERROR."""
    path = f"{LBAAS}/loadbalancers?fields=id&limit=1&provisioning_status="
    if client.get(f"{path}ERROR")["loadbalancers"]:
        raise SystemExit("a load balancer is in ERROR")
    return not client.get(f"{path}PENDING_CREATE")["loadbalancers"]


def _wait(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"cannot measure: waited for {what} in vain")
        time.sleep(LOOK_SECONDS)
