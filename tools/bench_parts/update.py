"""How long an UPDATE takes from the decoded job to HAProxy, beside the bare thing that it cannot do without.

A change that needs a reload stands beside `haproxy -c` and a reload through the master of the same file; a change
of one node stands beside the bare command on the admin socket.
"""

import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from libra.messages.codec import decode, encode
from libra.worker.controller import LBaaSController
from libra.worker.state import FileState
from tests.support.haproxy import BINARIES, DrivenHAProxy, find_haproxy, stop_master
from tests.support.ports import free_port, wait_until

SIZES = (10, 100, 1000, 5000)


def run(console: Console, *, quick: bool) -> None:
    """Both HAProxy versions."""
    sizes = SIZES[:2] if quick else SIZES
    times = 5 if quick else 20
    for kind in BINARIES:
        with _driven(find_haproxy(kind)) as haproxy:
            controller = LBaaSController(
                haproxy.driver, FileState(haproxy.directory / "desired.json")
            )
            version = haproxy.driver.version().version
            bench = Bench(haproxy, controller, times)
            console.print(bench.reloads(f"HAProxy {version}: UPDATE with a reload", sizes))
            console.print(bench.changes(f"HAProxy {version}: UPDATE of one node", sizes))


class Bench:
    """One HAProxy, and how often everything is done."""

    def __init__(self, haproxy: DrivenHAProxy, controller: LBaaSController, times: int) -> None:
        self._haproxy = haproxy
        self._controller = controller
        self._times = times
        self._port = free_port()

    def reloads(self, title: str, sizes: tuple[int, ...]) -> Table:
        """Medians in milliseconds; the two ways take turns, so that both see the same noise."""
        table = Table("nodes", "UPDATE ms", "bare check + reload ms", "ratio", title=title)
        for size in sizes:
            times = max(3, self._times * 10 // max(10, size // 100))
            ours, bare = [], []
            for number in range(times):
                ours.append(self._timed_update(size, connection_limit=1000 + number))
                bare.append(self._timed(self._bare_reload))
            self._row(table, size, ours, bare)
        return table

    def changes(self, title: str, sizes: tuple[int, ...]) -> Table:
        """Weight, condition and addition of one node."""
        table = Table(
            "nodes", "UPDATE p50 ms", "p99 ms", "bare command p50 ms", "over it", title=title
        )
        for size in sizes:
            self._timed_update(size)
            for name, change in CHANGES.items():
                ours, bare = [], []
                for number in range(self._times * 5):
                    ours.append(self._timed_update(size, change=change, number=number))
                    bare.append(self._timed(lambda n=number: self._bare_weight(n)))
                self._change_row(table, f"{size} {name}", ours, bare)
                self._timed_update(size)
        return table

    def _timed_update(
        self,
        size: int,
        change: "Callable[[list[dict[str, Any]], int], None] | None" = None,
        number: int = 0,
        **fields: object,
    ) -> float:
        nodes = [
            {"id": f"n{n}", "address": f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", "port": "80"}
            for n in range(size)
        ]
        if change is not None:
            change(nodes, number)
        loadbalancer = {"id": "15", "protocol": "HTTP", "bind_address": "127.0.0.1"}
        loadbalancer |= {"port": self._port, "nodes": nodes, **fields}
        payload = encode({"hpcs_action": "UPDATE", "loadbalancers": [loadbalancer]})
        started = time.perf_counter()
        reply = self._controller.handle(decode(payload))
        took = time.perf_counter() - started
        assert reply["hpcs_response"] == "PASS", reply["hpcs_error"]
        return took

    def _timed(self, action: Callable[[], None]) -> float:
        started = time.perf_counter()
        action()
        return time.perf_counter() - started

    def _bare_reload(self) -> None:
        settings = self._haproxy.settings.haproxy
        subprocess.run(
            [str(settings.binary), "-c", "-f", str(settings.config_file)],
            check=True,
            capture_output=True,
        )
        before = self._haproxy.pid()
        self._haproxy.master.reload(timedelta(seconds=30))
        wait_until(lambda: self._has_changed(before), timeout=30, what="the new process")

    def _has_changed(self, before: int) -> bool:
        from libra.errors import ProxyNotRunning

        try:
            return self._haproxy.pid() != before
        except ProxyNotRunning:
            return False

    def _bare_weight(self, number: int) -> None:
        self._haproxy.admin.ask(f"set server be-15/n1 weight {1 + number % 2}")

    def _row(self, table: Table, size: int, ours: list[float], bare: list[float]) -> None:
        one, other = statistics.median(ours), statistics.median(bare)
        table.add_row(str(size), f"{one * 1000:.1f}", f"{other * 1000:.1f}", f"{one / other:.2f}")

    def _change_row(self, table: Table, name: str, ours: list[float], bare: list[float]) -> None:
        one, other = statistics.median(ours), statistics.median(bare)
        p99 = sorted(ours)[int(len(ours) * 0.99) - 1]
        table.add_row(
            name,
            f"{one * 1000:.2f}",
            f"{p99 * 1000:.2f}",
            f"{other * 1000:.2f}",
            f"+{(one - other) * 1000:.2f} ms",
        )


def _weight(nodes: list[dict[str, Any]], number: int) -> None:
    nodes[0]["weight"] = 2 + number % 2


def _condition(nodes: list[dict[str, Any]], number: int) -> None:
    nodes[0]["condition"] = ("DRAINING", "DISABLED", "ENABLED")[number % 3]


def _addition(nodes: list[dict[str, Any]], number: int) -> None:
    if number % 2 == 0:
        nodes.append({"id": "extra", "address": "10.99.99.99", "port": 80})


CHANGES = {"weight": _weight, "condition": _condition, "add/remove": _addition}


@contextmanager
def _driven(binary: Path) -> Iterator[DrivenHAProxy]:
    directory = Path(tempfile.mkdtemp(prefix="lb"))
    haproxy = DrivenHAProxy(binary, directory, directory)
    try:
        yield haproxy
    finally:
        haproxy.driver.close()
        stop_master(directory / "m")
        shutil.rmtree(directory, ignore_errors=True)
