"""Round trip of a job over gearmand: our client and source, beside bare echoes through gear.

Worker and client are processes of their own, as in life. Stock gear shows what Nagle's algorithm costs against
delayed acknowledgements; gear with TCP_NODELAY set from outside is the bare thing that ours is measured by.
"""

import contextlib
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import gear
from rich.console import Console
from rich.table import Table

from libra.config.settings import JobServerSettings
from libra.jobs.embedded import EmbeddedJobServer
from libra.jobs.gearman import GearmanJobClient, GearmanJobSource
from tests.support.gearmand import Gearmand
from tools.bench_parts.figures import Figure

FUNCTION = "bench"
PAYLOAD = b'{"hpcs_action": "STATS"}'
THREADS = 8
ROUNDS = 5

Submit = Callable[[bytes], bytes]


def run(console: Console, *, quick: bool) -> None:
    """Two tables: small jobs one after the other and from several threads, and large jobs."""
    count = 40 if quick else 400
    table = Table("", "p50 ms", "p99 ms", "ratio p50", f"jobs/s, {THREADS} threads")
    with Gearmand() as gearmand, embedded() as server:
        ways = {
            "gear with TCP_NODELAY": ("nodelay", gearmand.port),
            "libra": ("libra", gearmand.port),
            "libra, embedded server": ("libra", server.port),
        }
        times, rates = measure(ways, count)
        stock, _ = measure({"stock gear": ("stock", gearmand.port)}, 10)
        bare = statistics.median(times["gear with TCP_NODELAY"])
        for name, values in {**stock, **times}.items():
            middle = statistics.median(values)
            last = statistics.quantiles(values, n=100)[98]
            rate = f"{rates[name]:.0f}" if name in rates else "-"
            table.add_row(name, ms(middle), ms(last), f"{middle / bare:.2f}", rate)
        console.print(table)
        console.print(large_jobs(ways, (1,) if quick else (1, 10)))


def figures(*, quick: bool) -> list[Figure]:
    """The table's."""
    with Gearmand() as gearmand:
        ways = {"bare": ("nodelay", gearmand.port), "libra": ("libra", gearmand.port)}
        times, _ = measure(ways, 40 if quick else 400)
    bare, ours = statistics.median(times["bare"]), statistics.median(times["libra"])
    ratio = ours / bare
    name = "job round trip over gearmand beside the bare gear echo, p50"
    return [Figure(name, "<= 1.2 x", f"{ratio:.2f} x ({ms(ours)} ms)", ratio <= 1.2)]


def measure(
    ways: dict[str, tuple[str, int]], count: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds of each job, and jobs a second from several threads; the ways take turns."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, (kind, port) in ways.items():
            with worker(kind, port), client(kind, port) as submit:
                for _ in range(count // 10 + 1):
                    submit(PAYLOAD)
                times[name] += [timed(submit, PAYLOAD) for _ in range(count)]
                rates[name].append(rate(submit, count))
    return times, {name: statistics.median(values) for name, values in rates.items()}


def large_jobs(ways: dict[str, tuple[str, int]], sizes: tuple[int, ...]) -> Table:
    """Seconds there and back."""
    table = Table("payload", *[f"{name} s" for name in ways])
    for megabytes in sizes:
        payload = b"x" * (megabytes * 1_000_000)
        row = []
        for kind, port in ways.values():
            with worker(kind, port), client(kind, port) as submit:
                row.append(f"{statistics.median(timed(submit, payload) for _ in range(3)):.2f}")
        table.add_row(f"{megabytes} MB", *row)
    return table


def timed(submit: Submit, payload: bytes) -> float:
    """Seconds of one job."""
    started = time.perf_counter()
    reply = submit(payload)
    ended = time.perf_counter()
    assert reply == payload
    return ended - started


def rate(submit: Submit, count: int) -> float:
    """Jobs a second from several threads."""

    def submit_some() -> None:
        for _ in range(count // THREADS + 1):
            submit(PAYLOAD)

    threads = [threading.Thread(target=submit_some) for _ in range(THREADS)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (count // THREADS + 1) * THREADS / (time.perf_counter() - started)


def ms(seconds: float) -> str:
    """For a table."""
    return f"{seconds * 1000:.2f}"


@contextlib.contextmanager
def embedded() -> Iterator[EmbeddedJobServer]:
    """In this process, as `libra` has it: client and server share the interpreter's lock here."""
    server = EmbeddedJobServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def worker(kind: str, port: int) -> Iterator[None]:
    """An echo worker in a process of its own."""
    command = [sys.executable, "-m", "tools.bench_parts.jobs", kind, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


@contextlib.contextmanager
def client(kind: str, port: int) -> Iterator[Submit]:
    """What submits a job and returns its reply."""
    if kind == "libra":
        ours = GearmanJobClient([JobServerSettings(port=port)])
        yield lambda payload: ours.submit(FUNCTION, payload, timeout=60)
        ours.close()
    else:
        bare = BareClient(port, nodelay=kind == "nodelay")
        yield bare.submit
        bare.shutdown()


class BareClient(gear.Client):
    """gear's client with the least that makes it usable by threads: a lock, and an event a job."""

    def __init__(self, port: int, *, nodelay: bool) -> None:
        super().__init__("bench")
        self._submitting = threading.Lock()
        self.addServer("127.0.0.1", port)
        self.waitForServer()
        if nodelay:
            set_nodelay(self)

    def submit(self, payload: bytes) -> bytes:
        """The reply."""
        job = gear.Job(FUNCTION, payload)
        job.ended = threading.Event()
        with self._submitting:
            self.submitJob(job)
        job.ended.wait(60)
        return b"".join(job.data)

    def handleWorkComplete(self, packet: gear.Packet) -> None:  # noqa: N802 - gear's name
        """Wake who waits."""
        super().handleWorkComplete(packet).ended.set()


def set_nodelay(client: gear.Client) -> None:
    """On the connections that it has."""
    for connection in client.active_connections:
        connection.conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def work(kind: str, port: int) -> None:
    """Echo until killed; says so on standard output once registered."""
    if kind == "libra":
        source = GearmanJobSource([JobServerSettings(port=port)], FUNCTION)
        while not source.connected():
            time.sleep(0.01)
        print("ready", flush=True)
        while True:
            job = source.take(60)
            if job is not None:
                job.complete(job.payload)
    bare = gear.Worker("bench")
    bare.addServer("127.0.0.1", port)
    bare.waitForServer()
    if kind == "nodelay":
        set_nodelay(bare)
    bare.registerFunction(FUNCTION)
    print("ready", flush=True)
    while True:
        job = bare.getJob()
        job.sendWorkComplete(job.arguments)


if __name__ == "__main__":
    from libra.logs import configure_logging

    configure_logging(level="error", as_json=False)
    work(sys.argv[1], int(sys.argv[2]))
