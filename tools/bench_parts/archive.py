"""ARCHIVE of a large log into a real Swift, beside the same job done by a shell and by the loop of 2013.

All of it on one machine: grep, compression and Swift's four processes share its cores. Each way runs as a process
of its own and starts with the log in the page cache; all upload to the same Swift.
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.support.swift_lab import SwiftLab
from tools.bench_parts.archive_log import write_log

FULL_BYTES = 1024**3
QUICK_BYTES = 32 * 1024**2
LARGEST_OBJECT = 5 * 1024**3  # Swift's own default; the lab's is small
LABELS = {
    "libra": "libra: ARCHIVE",
    "shell": "grep -F | gzip -6, then one PUT",
    "loop": "copy, line loop, gzip module, MD5, one PUT",
}
AIMS = {"shell": 8, "loop": 15}
TIMEOUT_SECONDS = 900


def run(console: Console, *, quick: bool, size_bytes: int | None = None) -> None:
    """One table: seconds from the message to the reply, and the peak memory of the largest process."""
    size = size_bytes or (QUICK_BYTES if quick else FULL_BYTES)
    rounds = {"libra": 3 if quick else 5, "shell": 1, "loop": 1}
    with prepared(size) as (swift, log):
        results = {way: measure(swift, log, way, count) for way, count in rounds.items()}
    console.print(build_table(results, size))


@contextmanager
def prepared(size: int) -> Iterator[tuple[SwiftLab, Path]]:
    """A Swift and a log, both gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="libra-bench-"))
    try:
        log = directory / "log" / "haproxy.log"
        log.parent.mkdir()
        write_log(log, size)
        with SwiftLab(directory / "swift", max_file_size=LARGEST_OBJECT) as swift:
            yield swift, log
    finally:
        shutil.rmtree(directory)


def measure(swift: SwiftLab, log: Path, way: str, count: int) -> list[dict[str, float]]:
    """What each run of a way has printed."""
    argv = [sys.executable, "-m", "tools.bench_parts.archive_ways", way, str(log)]
    results = []
    for _ in range(count):
        read_through(log)
        done = subprocess.run(
            [*argv, swift.storage_url, swift.token()],
            stdout=subprocess.PIPE,
            check=True,
            timeout=TIMEOUT_SECONDS,
        )
        results.append(json.loads(done.stdout.splitlines()[-1]))
    return results


def read_through(path: Path) -> None:
    """Into the page cache, where a log that is being written is anyway."""
    with path.open("rb", buffering=0) as file:
        while file.read(4 * 1024 * 1024):
            pass


def build_table(results: dict[str, list[dict[str, float]]], size: int) -> Table:
    """Medians, and how often the bare ways would fit into one ARCHIVE."""
    table = Table("way", "seconds", "MB/s of log", "peak MiB", "times ARCHIVE")
    middle = {
        way: statistics.median(result["seconds"] for result in runs)
        for way, runs in results.items()
    }
    for way, runs in results.items():
        ratio = middle[way] / middle["libra"]
        aim = f" (aim {AIMS[way]})" if way in AIMS else ""
        peak = max(max(result["own_mib"], result["child_mib"]) for result in runs)
        table.add_row(
            LABELS[way],
            f"{middle[way]:.2f}",
            f"{size / 1e6 / middle[way]:.0f}",
            f"{peak:.0f}",
            f"{ratio:.1f}{aim}",
        )
    return table
