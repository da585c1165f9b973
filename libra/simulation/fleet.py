"""Simulated workers by the thousand: their processes, and what these report together."""

import json
import os
import queue
import resource
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Self

from libra.errors import LibraError
from libra.simulation.process import Report, Share

if TYPE_CHECKING:
    from libra.config.settings import JobServerSettings

SPARE_FILES = 64
LATE_SECONDS = 10.0


class SimulationFailed(LibraError):
    """A process of it ended."""


@dataclass(slots=True)
class Standing:
    """How the whole fleet does: `answered` since the beginning, `begun` since the last look."""

    unreachable: str = ""
    connected: int = 0
    faulty: int = 0
    answered: Counter[str] = field(default_factory=Counter)
    begun: list[tuple[float, str, str, float]] = field(default_factory=list)


class SimulatedFleet:
    """`with SimulatedFleet(share, processes) as fleet:`; the devices are gone at its end.

    `share` is the whole of it: `first` 0, `count` as many as `devices`. Raises `SimulationFailed`.
    """

    def __init__(self, share: Share, processes: int) -> None:
        self._ensure_files(share, processes)
        size = -(-share.count // processes)
        firsts = range(0, share.count, size)
        self._shares = [
            replace(share, first=first, count=min(size, share.count - first)) for first in firsts
        ]
        self._processes: list[subprocess.Popen[str]] = []
        self._reports: queue.Queue[tuple[int, str]] = queue.Queue()
        self._last: list[Report | None] = [None] * len(self._shares)
        self._standing = Standing()

    def __enter__(self) -> Self:
        for number, share in enumerate(self._shares):
            # Not of our group: Ctrl-C is for us, and the end of their input ends them.
            process = subprocess.Popen(
                [sys.executable, "-m", "libra.simulation.process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            self._processes.append(process)
            self._tell(process, json.dumps(asdict(share)))
            threading.Thread(target=self._listen, args=(number, process), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            with suppress(OSError):
                if process.stdin is not None:
                    process.stdin.close()
        for process in self._processes:
            try:
                process.wait(LATE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def go(self) -> None:
        """Let the schedule of faults begin."""
        for process in self._processes:
            self._tell(process, "go")

    def look(self, timeout: float) -> Standing:
        """How it does, after at most that many seconds of waiting for the next report."""
        self._standing.begun = []
        deadline = time.monotonic() + timeout
        with suppress(queue.Empty):
            self._take(*self._reports.get(timeout=timeout))
            while time.monotonic() < deadline:
                self._take(*self._reports.get_nowait())
        known = [report for report in self._last if report is not None]
        self._standing.unreachable = max((report.unreachable for report in known), default="")
        self._standing.connected = sum(report.connected for report in known)
        self._standing.faulty = sum(report.faulty for report in known)
        return self._standing

    def _take(self, number: int, line: str) -> None:
        if not line:
            status = self._processes[number].wait(LATE_SECONDS)
            raise SimulationFailed(f"a process of simulated devices ended with status {status}")
        report = Report(**json.loads(line))
        self._last[number] = report
        self._standing.answered.update(report.answered)
        self._standing.begun += report.begun

    def _listen(self, number: int, process: "subprocess.Popen[str]") -> None:
        for line in process.stdout or ():
            self._reports.put((number, line))
        self._reports.put((number, ""))

    def _tell(self, process: "subprocess.Popen[str]", line: str) -> None:
        with suppress(OSError):  # it has ended, which its output tells
            if process.stdin is not None:
                process.stdin.write(line + "\n")
                process.stdin.flush()

    def _ensure_files(self, share: Share, processes: int) -> None:
        """Each device has a connection to each job server; raises `SimulationFailed`."""
        needed = -(-share.count // processes) * len(share.servers) + SPARE_FILES
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise SimulationFailed(
                f"cannot simulate {share.count} devices in {processes} processes: each needs {needed} open files, and "
                f"the limit is {hard}; raise it ('ulimit -n'), or use more processes"
            )
        if soft != resource.RLIM_INFINITY and soft < needed:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def share_of_all(servers: "Sequence[JobServerSettings]", devices: int, **fields: object) -> Share:
    """The whole fleet; `fields` are those of `Share`."""
    told = [server.model_dump(mode="json") for server in servers]
    return Share(servers=told, first=0, count=devices, devices=devices, **fields)  # type: ignore[arg-type]


def default_processes(devices: int) -> int:
    """As many as there are processors, but none for a few devices only."""
    return max(1, min(os.cpu_count() or 1, 8, devices // 50))
