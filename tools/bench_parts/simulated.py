"""Workers without a proxy, many in one process: each registered under a name of its own and answering as the real one.

`python -m tools.bench_parts.simulated PORT FIRST COUNT` prints "ready" once all are registered at that job server.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from libra.config.settings import JobServerSettings
from libra.drivers.noop import NoopDriver
from libra.jobs.gearman import GearmanJobSource
from libra.messages.codec import decode, encode
from libra.worker.controller import LBaaSController

PROCESSES = 2
TAKE_SECONDS = 60.0


def name_of(number: int) -> str:
    """Of the worker, and so of the device."""
    return f"sim{number:04}"


@contextmanager
def running_workers(port: int, count: int) -> Iterator[None]:
    """All of them are registered."""
    share = -(-count // PROCESSES)
    with ExitStack() as stack:
        processes = [
            stack.enter_context(_process(port, first, min(share, count - first)))
            for first in range(0, count, share)
        ]
        for process in processes:
            assert process.stdout is not None
            if process.stdout.readline().strip() != "ready":
                raise SystemExit("the simulated workers did not start")
        yield


@contextmanager
def _process(port: int, first: int, count: int) -> Iterator["subprocess.Popen[str]"]:
    numbers = map(str, (port, first, count))
    command = [sys.executable, "-m", "tools.bench_parts.simulated", *numbers]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def work(port: int, first: int, count: int) -> None:
    """Until killed."""
    sources = {
        name: GearmanJobSource([JobServerSettings(port=port)], name)
        for name in map(name_of, range(first, first + count))
    }
    for name, source in sources.items():
        threading.Thread(target=_serve, args=(source,), name=name, daemon=True).start()
    while not all(source.connected() for source in sources.values()):
        time.sleep(0.05)
    print("ready", flush=True)
    threading.Event().wait()


def _serve(source: GearmanJobSource) -> None:
    driver = NoopDriver()
    driver.running = True
    controller = LBaaSController(driver)
    while True:
        job = source.take(TAKE_SECONDS)
        if job is not None:
            job.complete(encode(controller.handle(decode(job.payload))))


if __name__ == "__main__":
    from libra.logs import configure_logging

    configure_logging(level="error", as_json=False)
    work(*map(int, sys.argv[1:]))
