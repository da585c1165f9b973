"""wrk, which keeps connections busy far quicker than Python could, and what it says about failures."""

import re
import shutil
import subprocess
import threading
from typing import Self

SLICE_SECONDS = 5
_REQUESTS = re.compile(r"^\s*([0-9]+) requests in ", re.MULTILINE)
_ERRORS = re.compile(
    r"Socket errors: connect ([0-9]+), read ([0-9]+), write ([0-9]+), timeout ([0-9]+)"
)
_STATUS = re.compile(r"Non-2xx or 3xx responses: ([0-9]+)")


class Wrk:
    """Runs of wrk, one after the other, until the block ends: `with Wrk(port) as load: ...; load.failures`.

    An answer with `Connection: close` is no failure to wrk: it connects anew. A connection that ends in any other way
    is a read error.
    """

    def __init__(self, port: int, connections: int = 16) -> None:
        program = shutil.which("wrk")
        if program is None:
            raise SystemExit("this part needs wrk: apt-get install wrk")
        # 30 seconds, for a machine that is busy is no failure
        self._argv = [program, "-t1", f"-c{connections}", f"-d{SLICE_SECONDS}s", "--timeout", "30s"]
        self._argv.append(f"http://127.0.0.1:{port}/")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.total = 0
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(SLICE_SECONDS + 60)

    def _run(self) -> None:
        while not self._stop.is_set():
            done = subprocess.run(
                self._argv, capture_output=True, text=True, timeout=SLICE_SECONDS + 60, check=False
            )
            requests, failures = parse_report(done.stdout)
            self.total += requests
            self.failures += failures
            if done.returncode != 0 or requests == 0:
                self.failures.append(f"wrk: {done.stderr.strip() or 'no request was answered'}")
                return


def parse_report(text: str) -> tuple[int, list[str]]:
    """The requests that were answered, and a line for each kind of failure there was."""
    requests = _REQUESTS.search(text)
    failures = [match[0] for match in (_ERRORS.search(text), _STATUS.search(text)) if match]
    return int(requests[1]) if requests else 0, failures
