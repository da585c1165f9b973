"""How long an UPDATE takes from the bytes of the job to HAProxy, beside the bare thing that it cannot do without.

A change that needs a reload stands beside `haproxy -c` and a reload through the master of the same file; a change
of one node stands beside the bare command on the admin socket.
"""

import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from libra.drivers.haproxy.runtime import AdminSocket
from libra.messages.codec import decode, encode
from libra.messages.decoder import Decoder
from libra.worker.answer import carry_out, read_job
from libra.worker.controller import LBaaSController
from libra.worker.state import FileState
from tests.support.haproxy import BINARIES, DrivenHAProxy, find_haproxy, stop_master
from tests.support.ports import free_port, wait_until
from tools.bench_parts.figures import Figure

SIZES = (10, 100, 1000, 5000)


def run(console: Console, *, quick: bool) -> None:
    """Both HAProxy versions."""
    sizes = SIZES[:2] if quick else SIZES
    times = 5 if quick else 20
    for kind in BINARIES:
        with driven(find_haproxy(kind)) as haproxy:
            version = haproxy.driver.version().version
            bench = Bench(haproxy, times)
            console.print(bench.reloads(f"HAProxy {version}: UPDATE with a reload", sizes))
            console.print(bench.changes(f"HAProxy {version}: UPDATE of one node", sizes))


def figures(kind: str, *, quick: bool) -> list[Figure]:
    """The table's, of one HAProxy."""
    with driven(find_haproxy(kind)) as haproxy:
        bench = Bench(haproxy, 6 if quick else 40)
        small, large = bench.measure_changes(10), bench.measure_changes(5000)
        ours, bare = bench.measure_reloads(100)
        version = haproxy.driver.version().version
    over, last = small.over_milliseconds, small.p99_milliseconds
    ratio = large.live_milliseconds / small.live_milliseconds
    reload = statistics.median(ours) / statistics.median(bare)
    name = f"{version}: one node"
    return [
        Figure(f"{name}, p50 over the bare command", "<= 2 ms", f"{over:.2f} ms", over <= 2),
        Figure(f"{name}, p99", "< 10 ms", f"{last:.2f} ms", last < 10),
        Figure(
            f"{name}, 5,000 nodes beside 10, p50",
            "<= 3 x",
            f"{ratio:.2f} x ({large.live_milliseconds:.2f} ms)",
            ratio <= 3,
        ),
        Figure(
            f"{version}: reload beside the bare one", "<= 1.2 x", f"{reload:.2f} x", reload <= 1.2
        ),
    ]


@dataclass(frozen=True, slots=True)
class Job:
    """Bytes to answer."""

    payload: bytes
    handle: str = "H:bench:1"
    replies: list[bytes] = field(default_factory=list)

    def complete(self, data: bytes) -> None:
        """Keep the answer."""
        self.replies.append(data)


@dataclass(frozen=True, slots=True)
class Changes:
    """Seconds of many changes: until HAProxy has it, until the reply, and of the bare command in turn."""

    live: list[float]
    reply: list[float]
    bare: list[float]

    @property
    def live_milliseconds(self) -> float:
        """p50."""
        return statistics.median(self.live) * 1000

    @property
    def over_milliseconds(self) -> float:
        """p50 over that of the bare command."""
        return self.live_milliseconds - statistics.median(self.bare) * 1000

    @property
    def p99_milliseconds(self) -> float:
        """Until HAProxy has it."""
        return sorted(self.live)[int(len(self.live) * 0.99) - 1] * 1000


class Bench:
    """One HAProxy, and how often everything is done."""

    def __init__(self, haproxy: DrivenHAProxy, times: int) -> None:
        self._haproxy = haproxy
        self._controller = LBaaSController(
            haproxy.driver, FileState(haproxy.directory / "desired.json")
        )
        self._decoder = Decoder()
        self._times = times
        self._port = free_port()
        self._ordered = 0.0
        self._watch_orders()

    def _watch_orders(self) -> None:
        """The time when HAProxy has answered the last command of a change."""
        order = AdminSocket.order

        def timed_order(admin: AdminSocket, commands: Sequence[str]) -> None:
            order(admin, commands)
            self._ordered = time.perf_counter()

        AdminSocket.order = timed_order  # type: ignore[method-assign]

    def reloads(self, title: str, sizes: tuple[int, ...]) -> Table:
        """Medians in milliseconds; the two ways take turns, so that both see the same noise."""
        table = Table("nodes", "UPDATE ms", "bare check + reload ms", "ratio", title=title)
        for size in sizes:
            ours, bare = self.measure_reloads(size)
            self._row(table, size, ours, bare)
        return table

    def measure_reloads(self, size: int) -> tuple[list[float], list[float]]:
        """Seconds of each UPDATE, and of the bare check and reload."""
        ours, bare = [], []
        for number in range(max(3, self._times * 10 // max(10, size // 100))):
            ours.append(self._timed_update(size, connection_limit=1000 + number)[1])
            bare.append(self._timed(self._bare_reload))
        return ours, bare

    def changes(self, title: str, sizes: tuple[int, ...]) -> Table:
        """Weight, condition and addition of one node."""
        columns = ("live p50 ms", "p99 ms", "reply p50 ms", "bare command p50 ms", "live over it")
        table = Table("nodes", *columns, title=title)
        for size in sizes:
            for name in CHANGES:
                found = self.measure_changes(size, name)
                table.add_row(
                    f"{size} {name}",
                    f"{found.live_milliseconds:.2f}",
                    f"{found.p99_milliseconds:.2f}",
                    f"{statistics.median(found.reply) * 1000:.2f}",
                    f"{statistics.median(found.bare) * 1000:.2f}",
                    f"+{found.over_milliseconds:.2f} ms",
                )
        return table

    def measure_changes(self, size: int, only: str | None = None) -> Changes:
        """All kinds of changes, or one kind; each takes turns with the bare command."""
        found = Changes([], [], [])
        for name, change in CHANGES.items():
            if only in (None, name):
                self._timed_update(size)
                for number in range(self._times * 5):
                    live, reply = self._timed_update(size, change=change, number=number)
                    found.live.append(live)
                    found.reply.append(reply)
                    found.bare.append(self._timed(lambda n=number: self._bare_weight(n)))
        self._timed_update(size)
        return found

    def _timed_update(
        self,
        size: int,
        change: "Callable[[list[dict[str, Any]], int], None] | None" = None,
        number: int = 0,
        **fields: object,
    ) -> tuple[float, float]:
        """Seconds until HAProxy has it, for what needs no reload, and until the reply."""
        nodes = [
            {"id": f"n{n}", "address": f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", "port": "80"}
            for n in range(size)
        ]
        if change is not None:
            change(nodes, number)
        loadbalancer = {"id": "15", "protocol": "HTTP", "bind_address": "127.0.0.1"}
        loadbalancer |= {"port": self._port, "nodes": nodes, **fields}
        payload = encode({"hpcs_action": "UPDATE", "loadbalancers": [loadbalancer]})
        job = Job(payload)
        started = time.perf_counter()
        carry_out(read_job(job, self._decoder.decode), self._controller)
        took = time.perf_counter() - started
        reply = decode(job.replies[0])
        assert reply["hpcs_response"] == "PASS", reply["hpcs_error"]
        return self._ordered - started, took

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


def _weight(nodes: list[dict[str, Any]], number: int) -> None:
    nodes[len(nodes) // 2]["weight"] = 2 + number % 2


def _condition(nodes: list[dict[str, Any]], number: int) -> None:
    nodes[len(nodes) // 2]["condition"] = ("DRAINING", "DISABLED", "ENABLED")[number % 3]


def _addition(nodes: list[dict[str, Any]], number: int) -> None:
    if number % 2 == 0:
        nodes.append({"id": "extra", "address": "10.99.99.99", "port": 80})


CHANGES = {"weight": _weight, "condition": _condition, "add/remove": _addition}


@contextmanager
def driven(binary: Path) -> Iterator[DrivenHAProxy]:
    """Not started yet; ended afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="lb"))
    haproxy = DrivenHAProxy(binary, directory, directory)
    try:
        yield haproxy
    finally:
        haproxy.driver.close()
        stop_master(directory / "m")
        shutil.rmtree(directory, ignore_errors=True)
