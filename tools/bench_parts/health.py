"""Health checks a second out of 10,000 nodes, beside a bare application; and how long a node takes to be drained.

For the second, two workers with real HAProxies send 300 requests a second, some of which take two seconds, to five
members. One of them is marked offline, and the fleet is asked until everybody says that it has no session left. The
way that is measured beside it waits for twenty seconds, whatever happens.
"""

import statistics
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from libra.model.access import Role
from libra.model.nodestatus import Node, NodeGroup
from libra.storage.schema import upgrade
from libra.storage.sql import open_storage
from libra.usecases.services import Services
from libra.usecases.tokens import store_token
from libra.vault import open_vault
from tests.support.rolloutlab import RolloutLab
from tests.support.steady import SteadyLoad
from tools.bench_parts.rest import CONNECTIONS, SECRET, ask, served

NODES = 10_000
RATE = 300
SLEEP_SECONDS = 20.0
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.01


def run(console: Console, *, quick: bool) -> None:
    """Two tables."""
    console.print(_measure_checks(NODES // 10 if quick else NODES, 2 if quick else 5))
    console.print(_measure_draining(1 if quick else 3))


def _measure_checks(count: int, seconds: int) -> Table:
    columns = ("request", "clients", "requests/s", "p50", "p99", "CPU ms", "of the bare")
    table = Table(*columns, title=f"{count:,} nodes")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        url = f"sqlite:///{directory}/libra.db"
        _fill(url, directory, count)
        with served("bare") as other, served(url, str(directory)) as api:
            for path in (f"/health?node=node{count // 2}", f"/health/web?node=node{count - 1}"):
                bare = ask(other, "/", CONNECTIONS, seconds)
                found = ask(api, path, CONNECTIONS, seconds)
                table.add_row("bare", str(CONNECTIONS), *bare.cells(), "")
                ratio = f"{found.a_second / bare.a_second:.2f} x"
                row = (path, str(CONNECTIONS), *found.cells(), ratio)
                table.add_row(*row, end_section=True)
    return table


def _fill(url: str, directory: Path, count: int) -> None:
    upgrade(url)
    storage = open_storage(url)
    now = datetime.now(UTC)
    try:
        with storage.writing() as unit:
            unit.node_groups.add(NodeGroup(id="web", name="web", created_at=now))
            unit.nodes.add_all(
                Node(id=f"n{n}", name=f"node{n}", group_id="web", since=now, created_at=now)
                for n in range(count)
            )
        from libra.manager.settle import MANAGER

        services = Services(storage=storage, sealer=open_vault(directory / "key"))
        store_token(services, MANAGER, "bench", Role.ADMIN, SECRET)
    finally:
        storage.close()


def _measure_draining(times: int) -> Table:
    """Each node once a round."""
    table = Table("way", "seconds, middle", "seconds, longest", "failed requests")
    with tempfile.TemporaryDirectory(prefix="lb") as name, ExitStack() as stack:
        lab = RolloutLab(Path(name), stack)
        for title, slow in (("requests of milliseconds", 0), ("some of two seconds", 4)):
            with SteadyLoad(RATE, lab.targets, slow=slow) as load:
                found = [_drain(lab, node) for _ in range(times) for node in lab.members.names]
            middle, longest = statistics.median(found), max(found)
            shown = (f"{middle:.2f}", f"{longest:.2f}", str(len(load.failures)))
            table.add_row(f"looked at, {title}", *shown)
    table.add_row(f"sleep({SLEEP_SECONDS:g})", *[f"{SLEEP_SECONDS:.2f}"] * 2, "")
    return table


def _drain(lab: RolloutLab, name: str) -> float:
    """Seconds; it serves again afterwards."""
    started = time.monotonic()
    lab.lab.put(f"/v1/nodes/{name}/status", {"status": "offline"})
    _await(lab, name, members=0)
    seconds = time.monotonic() - started
    lab.lab.put(f"/v1/nodes/{name}/status", {"status": "online"})
    _await(lab, name, members=2)
    return seconds


def _await(lab: RolloutLab, name: str, members: int) -> None:
    """Until so many members at it take traffic, and it has no sessions where none does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        nodes = lab.lab.get("/v1/nodegroups/web/sessions")["nodes"]
        node = next(item for item in nodes if item["name"] == name)
        is_done = node["open_members"] == members and not node["silent"]
        if is_done and (members or not node["sessions"]):
            return
        time.sleep(LOOK_SECONDS)
    raise SystemExit(f"{name} does not get there: {node}")
