"""One change of a web cluster until every node has it, and a standby's promotion, on simulated nodes.

The nodes answer as the real worker but have no proxy, so what is measured is the controller, its database, the job
server and the way between them: the check on every node, then node after node. A bare echo of as many jobs, one after
the other, is measured in the same run.
"""

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import libra.worker.controller
from libra.jobs.base import Priority
from libra.jobs.gearman import GearmanJobClient
from libra.messages.codec import encode
from libra.model.loadbalancer import Desired
from tests.support.control import ControlLab, ThreadWorker, control_lab

SIZES = {3: 9, 10: 5, 50: 2}  # nodes, and how often
QUICK_SIZES = {3: 2}
PROBE_SECONDS = 1.0
PATIENCE_SECONDS = 120.0
SHOP = "/v1/webclusters/shop"
Json = dict[str, Any]


def run(console: Console, *, quick: bool) -> None:
    """One table."""
    table = Table(
        "nodes",
        "change, answered ms",
        "on every node, ms",
        "a node, ms",
        "bare echoes, ms",
        "promotion, ms",
    )
    for size, times in (QUICK_SIZES if quick else SIZES).items():
        table.add_row(str(size), *map(_shown, measure(size, times)))
    console.print(table)
    console.print(
        f"[dim]promotion: from the moment that a node is mute, probed every {PROBE_SECONDS:g} s[/]"
    )


def _shown(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"


def measure(size: int, times: int) -> tuple[float, ...]:
    """Medians in seconds, in the order of the table."""
    with cluster(size) as shop:
        answered, live, bare = [], [], []
        for number in range(times):
            answer, everywhere = shop.change(number)
            answered.append(answer)
            live.append(everywhere)
            bare.append(shop.echo())
        promoted = [shop.promote() for _ in range(max(2, times // 3))]
    medians = [statistics.median(item) for item in (answered, live, bare, promoted)]
    return medians[0], medians[1], medians[1] / size, medians[2], medians[3]


class Shop:
    """A cluster that runs on all workers but one, which stands by."""

    def __init__(self, lab: ControlLab, workers: dict[str, ThreadWorker]) -> None:
        self._lab = lab
        self._workers = workers
        self._client = GearmanJobClient(lab.settings.job_servers)

    def set_up(self) -> None:
        self._lab.post("/v1/webclusters", {"name": "shop", "tcp_port": 8080})
        self._lab.post(f"{SHOP}/services", service("/"))
        *active, standby = self._workers
        for name in active:
            self._lab.post(f"{SHOP}/nodes", {"node": name})
        self._lab.post(f"{SHOP}/nodes", {"node": standby, "standby": True})
        assert self._lab.client.post(f"{SHOP}/start").is_success
        _wait(self._settled, "the start")

    def close(self) -> None:
        self._client.close()

    def _shop(self) -> Json:
        return dict(self._lab.get(SHOP)["webcluster"])

    def _settled(self) -> bool:
        shop = self._shop()
        return shop["status"] == "RUNNING" and shop["revision"] == shop["good_revision"]

    def change(self, number: int) -> tuple[float, float]:
        """Until the API has answered, and until every node has it."""
        started = time.perf_counter()
        self._lab.post(f"{SHOP}/services", service(f"/{number}"))
        answered = time.perf_counter() - started
        _wait(lambda: all(self._has(name, f"/{number}") for name in self._workers), "the change")
        live = time.perf_counter() - started
        _wait(self._settled, "the end of the change")
        return answered, live

    def _has(self, name: str, path: str) -> bool:
        return any(
            service.path == path
            for owner in self._workers[name].driver.desired.loadbalancers
            for listener in owner.listeners
            for service in listener.services or ()
        )

    def echo(self) -> float:
        """As many jobs that do nothing, one after the other."""
        started = time.perf_counter()
        for name in self._workers:
            message = encode({"hpcs_action": "DISCOVER"})
            self._client.submit(name, message, timeout=10, priority=Priority.HIGH)
        return time.perf_counter() - started

    def promote(self) -> float:
        """From the moment that a node says nothing until another one listens in its place."""
        victim = next(iter(self._open()))
        before = self._open()
        self._workers[victim].mute = True
        started = time.perf_counter()
        _wait(lambda: bool(self._open() - before), "the promotion")
        took = time.perf_counter() - started
        self._workers[victim].mute = False
        _wait(lambda: self._settled() and self._open() == before, "the place back")
        return took

    def _open(self) -> set[str]:
        return {
            name
            for name, worker in self._workers.items()
            for owner in worker.driver.desired.loadbalancers
            if owner.listeners[0].enabled
        }


def service(path: str) -> Json:
    """One that needs nothing."""
    return {"path": path, "type": "redirect", "url": "https://bench.example/"}


@contextmanager
def cluster(size: int) -> Iterator[Shop]:
    """One that runs."""
    knock, libra.worker.controller.knock_all = libra.worker.controller.knock_all, _answering
    directory = tempfile.TemporaryDirectory(prefix="lb")
    try:
        with control_lab(
            Path(directory.name), probe_seconds=PROBE_SECONDS, web_grace_seconds=0.5
        ) as lab:
            workers = {f"web{n:03}": lab.worker(f"web{n:03}") for n in range(size)}
            shop = Shop(lab, workers)
            try:
                shop.set_up()
                yield shop
            finally:
                shop.close()
    finally:
        libra.worker.controller.knock_all = knock
        directory.cleanup()


def _answering(desired: Desired, _listening: object) -> dict[str, bool]:
    """There is no proxy to ask."""
    return {
        listener.id: True
        for owner in desired.loadbalancers
        for listener in owner.listeners
        if listener.services is not None and listener.enabled
    }


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {PATIENCE_SECONDS:g} s in vain for {what}")
        threading.Event().wait(0.005)
