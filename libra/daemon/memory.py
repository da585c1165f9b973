"""What this process says of its memory: cheap, but for what it was told to trace."""

import gc
import threading
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STATUS = Path("/proc/self/status")
FILES = Path("/proc/self/fd")
_WANTED = ("VmRSS", "VmHWM", "VmSize", "VmSwap")
LARGEST = 10  # places in the source


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """Bytes of Python's objects now and at most, and the places where the most are from: where, bytes, how many."""

    current: int
    peak: int
    largest: Sequence[tuple[str, int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """`sizes` is in bytes, by the kernel's names. `tracked` and `collections` are by the collector's generation."""

    sizes: dict[str, int]
    threads: int
    files: int
    tracked: tuple[int, ...]
    frozen: int
    collections: tuple[int, ...]
    uncollectable: int
    traced: Traced | None


def measure_memory() -> Memory:
    """Now. With tracemalloc started, it takes as long as what is traced is large."""
    stats = gc.get_stats()
    return Memory(
        sizes=_read_sizes(),
        threads=threading.active_count(),
        files=_count_files(),
        tracked=gc.get_count(),
        frozen=gc.get_freeze_count(),
        collections=tuple(item["collections"] for item in stats),
        uncollectable=sum(item["uncollectable"] for item in stats),
        traced=_measure_traced() if tracemalloc.is_tracing() else None,
    )


def _read_sizes() -> dict[str, int]:
    """Nothing where the kernel has no such file."""
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":")[::2] for line in lines)
    return {name: int(value.split()[0]) * 1024 for name, value in pairs if name in _WANTED}


def _count_files() -> int:
    try:
        return sum(1 for _ in FILES.iterdir())
    except OSError:
        return 0


def _measure_traced() -> Traced:
    current, peak = tracemalloc.get_traced_memory()
    found = tracemalloc.take_snapshot().statistics("lineno")[:LARGEST]
    places = [(_place(item), item.size, item.count) for item in found]
    return Traced(current=current, peak=peak, largest=places)


def _place(item: tracemalloc.Statistic) -> str:
    """The end of the path is enough to find it."""
    frame = item.traceback[0]
    return f"{'/'.join(Path(frame.filename).parts[-3:])}:{frame.lineno}"
