"""How soon libra-worker is READY, and how much memory it holds, beside a bare Python that imports gear."""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from tests.support.gearmand import Gearmand

BARE = """
import gear, time
worker = gear.Worker("bench")
worker.addServer("127.0.0.1", {port})
worker.waitForServer()
print("READY", flush=True)
time.sleep(600)
"""


def run(console: Console, *, quick: bool) -> None:
    """Medians of several starts."""
    times = 3 if quick else 10
    table = Table("", "start to READY ms", "RSS idle MB", "ratio RSS")
    with tempfile.TemporaryDirectory(prefix="lb") as name, Gearmand() as gearmand:
        directory = Path(name)
        bare = [_bare(gearmand.port) for _ in range(times)]
        _add(table, "python, import gear, registered", bare, bare)
        for driver in ("noop", "haproxy"):
            ours = [
                _worker(directory / f"{driver}{n}", gearmand.port, driver) for n in range(times)
            ]
            _add(table, f"libra-worker, driver {driver}", ours, bare)
    console.print(table)


def _add(
    table: Table, name: str, rows: list[tuple[float, float]], bare: list[tuple[float, float]]
) -> None:
    ready = statistics.median(row[0] for row in rows)
    memory = statistics.median(row[1] for row in rows)
    base = statistics.median(row[1] for row in bare)
    table.add_row(name, f"{ready * 1000:.0f}", f"{memory:.1f}", f"{memory / base:.2f}")


def _bare(port: int) -> tuple[float, float]:
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", BARE.format(port=port)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        ready = time.perf_counter() - started
        time.sleep(0.5)  # let it settle: what is measured is idle memory
        memory = _rss(process.pid)
        process.kill()
    return ready, memory


def _worker(directory: Path, port: int, driver: str) -> tuple[float, float]:
    directory.mkdir()
    config = directory / "libra.yaml"
    config.write_text(yaml.safe_dump(_settings(directory, port, driver)))
    with _notify_socket(directory / "n") as (ready_socket, address):
        started = time.perf_counter()
        with subprocess.Popen(
            [str(Path(sys.executable).parent / "libra-worker"), "--config", str(config)],
            env={**os.environ, "NOTIFY_SOCKET": address},
            stderr=subprocess.DEVNULL,
        ) as process:
            while b"READY=1" not in ready_socket.recv(4096):
                pass
            ready = time.perf_counter() - started
            time.sleep(0.5)
            memory = _rss(process.pid)
            process.terminate()
            process.wait(20)
    _stop_haproxy(directory)
    return ready, memory


def _settings(directory: Path, port: int, driver: str) -> dict[str, object]:
    return {
        "job_servers": [{"host": "127.0.0.1", "port": port}],
        "worker": {"name": "bench", "driver": driver, "state_dir": str(directory / "s")},
        "haproxy": {
            "supervisor": "own",
            "config_file": str(directory / "s" / "haproxy.cfg"),
            "admin_socket": str(directory / "a"),
            "master_socket": str(directory / "m"),
            "log_file": str(directory / "log"),
        },
    }


def _stop_haproxy(directory: Path) -> None:
    from tests.support.haproxy import stop_master

    stop_master(directory / "m")


@contextmanager
def _notify_socket(path: Path) -> "Iterator[tuple[socket.socket, str]]":
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(30)
        receiver.bind(str(path))
        yield receiver, str(path)


def _rss(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
