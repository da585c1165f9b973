"""Pages and single load balancers out of 10,000 in the controller's storage, beside the same SELECT of the bare driver.

Both databases are the tests' own; PostgreSQL is left out where its server is not installed.
"""

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from libra.model.resources.loadbalancer import LoadBalancer
from libra.storage.query import Query
from libra.storage.sql import SqlStorage
from tests.support.postgres import installed_binaries, running_postgres
from tests.support.storages import (
    build_device,
    build_listener,
    build_loadbalancer,
    build_member,
    build_pool,
    migrated,
)

BALANCERS = 10_000
PER_DEVICE = 100
PAGE = 100
BARE_PAGE = f"SELECT * FROM loadbalancers ORDER BY created_at, id LIMIT {PAGE}"
BARE_ROW = "SELECT * FROM loadbalancers WHERE id = {mark}"


def run(console: Console, *, quick: bool) -> None:
    """A table for each database."""
    with tempfile.TemporaryDirectory() as directory:
        url = f"sqlite:///{directory}/libra.db"
        bare = partial(sqlite3.connect, f"{directory}/libra.db")
        _measure(console, "SQLite", url, bare, "?", quick=quick)
    if installed_binaries() is None:
        console.print("PostgreSQL: not measured, its server is not installed (Debian: postgresql)")
        return
    with running_postgres() as server:
        url = server.new_url()
        _measure(console, "PostgreSQL", url, partial(psycopg.connect, url), "%s", quick=quick)


def _measure(
    console: Console, title: str, url: str, bare: Callable[[], Any], mark: str, *, quick: bool
) -> None:
    """Medians in milliseconds; every transaction is begun and ended within its figure."""
    count, times = (BALANCERS // 10, 20) if quick else (BALANCERS, 200)
    with migrated(url) as storage, closing(bare()) as connection:
        started = time.perf_counter()
        balancers = fill(storage, count)
        seconds = time.perf_counter() - started
        table = Table("what", "median ms", "95 % ms", title=f"{title}, {count:,} load balancers")
        table.add_row("writing them (listener, pool, two members)", f"{seconds:.0f} s", "")
        for name, action in {
            **_bare_ways(connection, balancers, mark),
            **_ways(storage, balancers),
        }.items():
            table.add_row(name, *_timed(action, times))
        console.print(table)


def fill(storage: SqlStorage, count: int) -> list[LoadBalancer]:
    """A hundred on each device, one transaction a device; every second one is of another project."""
    made: list[LoadBalancer] = []
    for number in range(count // PER_DEVICE):
        device = build_device(f"web{number}")
        first = number * PER_DEVICE
        owners = [
            build_loadbalancer(n, device_id=device.id, project_id=f"p{n % 2}", tags=(f"t{n % 10}",))
            for n in range(first, first + PER_DEVICE)
        ]
        pools = [build_pool(owner) for owner in owners]
        with storage.writing() as unit:
            unit.devices.add(device)
            unit.loadbalancers.add_all(owners)
            unit.pools.add_all(pools)
            unit.listeners.add_all(
                build_listener(owner, default_pool_id=pool.id)
                for owner, pool in zip(owners, pools, strict=True)
            )
            unit.members.add_all(build_member(pool, port) for pool in pools for port in (80, 81))
        made += owners
    return made


def _ways(storage: SqlStorage, made: list[LoadBalancer]) -> dict[str, Callable[[], None]]:
    """What the API and the manager ask for."""
    middle, last = made[len(made) // 2], made[-PAGE - 1]
    device = middle.device_id or ""

    def page(**wanted: Any) -> Callable[[], None]:
        def find() -> None:
            with storage.reading() as unit:
                found = unit.loadbalancers.find(Query(limit=PAGE, **wanted))
            assert len(found) == PAGE, len(found)

        return find

    def show() -> None:
        with storage.reading() as unit:
            assert unit.loadbalancers.get(middle.id) == middle

    def tree() -> None:
        with storage.reading() as unit:
            assert unit.loadbalancers.tree(middle.id) is not None

    def trees() -> None:
        with storage.reading() as unit:
            assert len(unit.loadbalancers.trees_of(device)) == PER_DEVICE

    return {
        "page, the first": page(),
        "page, from the middle": page(marker=middle.id),
        "page, the last": page(marker=last.id),
        "page, backwards from the middle": page(marker=middle.id, backwards=True),
        "page of a project, from the middle": page(
            marker=middle.id, where={"project_id": middle.project_id}
        ),
        "page by name, from the middle": page(marker=middle.id, sort=(("name", True),)),
        "show": show,
        "tree of one": tree,
        f"trees of a device of {PER_DEVICE}": trees,
    }


def _bare_ways(
    connection: Any, made: list[LoadBalancer], mark: str
) -> dict[str, Callable[[], None]]:
    """One connection that stays open, rows as the driver gives them."""
    middle = made[len(made) // 2]

    @contextmanager
    def cursor() -> Iterator[Any]:
        opened = connection.cursor()
        yield opened
        opened.close()
        connection.rollback()

    def page() -> None:
        with cursor() as opened:
            assert len(opened.execute(BARE_PAGE).fetchall()) == PAGE

    def show() -> None:
        with cursor() as opened:
            statement = BARE_ROW.format(mark=mark)
            assert len(opened.execute(statement, (middle.id,)).fetchall()) == 1

    return {"bare driver: page, the first": page, "bare driver: show": show}


def _timed(action: Callable[[], None], times: int) -> tuple[str, str]:
    """Milliseconds, after a first run that is not counted."""
    action()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        action()
        taken.append((time.perf_counter() - started) * 1000)
    return f"{statistics.median(taken):.2f}", f"{statistics.quantiles(taken, n=20)[-1]:.2f}"
