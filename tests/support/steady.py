"""A steady load in a process of its own: so many requests a second, each counted, each failure told.

Run as a program: `python steady.py RATE SLOW HOST:PORT...` until a line comes on its standard input.
"""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Self

KEEP_ALIVE, SHORT, SLOW = 6, 6, 4  # clients; two thirds of the requests are of the first kind
TIMEOUT = 20.0


class SteadyLoad:
    """`with SteadyLoad(300, targets) as load: ...`, then `load.counts` by kind and target, and `load.failures`.

    `slow` clients ask for what takes seconds, one after the other.
    """

    def __init__(self, rate: float, targets: list[tuple[str, int]], slow: int = SLOW) -> None:
        words = [f"{host}:{port}" for host, port in targets]
        self._command = [
            sys.executable,
            str(Path(__file__).resolve()),
            str(rate),
            str(slow),
            *words,
        ]
        self.counts: dict[str, int] = {}
        self.failures: list[str] = []
        self.seconds = 0.0

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        told, _ = self._process.communicate("\n", timeout=60)
        result: dict[str, Any] = json.loads(told)
        self.counts, self.failures = result["counts"], result["failures"]
        self.seconds = result["seconds"]

    @property
    def total(self) -> int:
        """Good answers."""
        return sum(self.counts.values())


class _Clients:
    def __init__(self, rate: float, slow: int, targets: list[str]) -> None:
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._failures: list[str] = []
        self._targets = targets
        pauses = (KEEP_ALIVE / (rate * 2 / 3), SHORT / (rate / 3))
        kinds = [("keep-alive", pauses[0])] * KEEP_ALIVE + [("short", pauses[1])] * SHORT
        kinds += [("slow", 0.0)] * slow
        self._threads = [
            threading.Thread(target=self._run, args=(kind, pause, number))
            for number, (kind, pause) in enumerate(kinds)
        ]

    def run(self) -> dict[str, object]:
        started = time.monotonic()
        for thread in self._threads:
            thread.start()
        sys.stdin.readline()
        self._stop.set()
        seconds = time.monotonic() - started
        for thread in self._threads:
            thread.join()
        return {"counts": self._counts, "failures": self._failures, "seconds": seconds}

    def _run(self, kind: str, pause: float, number: int) -> None:
        """In time with the clock, so that a slow moment is made up for."""
        target = self._targets[number % len(self._targets)]
        client = http.client.HTTPConnection(target, timeout=TIMEOUT)
        due = time.monotonic()
        while not self._stop.is_set():
            try:
                self._ask(client, kind)
            except (OSError, http.client.HTTPException) as error:
                self._fail(f"{kind} at {time.strftime('%T')}: {error!r}")
                client.close()
            if kind == "short":
                client.close()
            due += pause
            self._stop.wait(max(0.0, due - time.monotonic()))
        client.close()

    def _ask(self, client: http.client.HTTPConnection, kind: str) -> None:
        client.request("GET", "/slow" if kind == "slow" else "/")
        answer = client.getresponse()
        body = answer.read().decode()
        if answer.status != 200:
            self._fail(f"{kind} at {time.strftime('%T')}: {answer.status} {body[:80]}")
            return
        with self._lock:
            self._counts[f"{kind} {body}"] += 1

    def _fail(self, words: str) -> None:
        with self._lock:
            self._failures.append(words)
        self._stop.wait(0.05)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_Clients(float(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]).run()))
