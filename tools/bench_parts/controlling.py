"""A controller in a process of its own: API and manager, with an embedded job server where no other is given.

`python -m tools.bench_parts.controlling URL DIRECTORY PORT` prints the ports of API and job server; PORT 0 embeds one.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from libra.config.controller import (
    AddressPoolSettings,
    ApiSettings,
    ControllerSettings,
    DatabaseSettings,
)
from libra.config.settings import JobServerSettings, Settings
from libra.jobs.embedded import EmbeddedJobServer

TOKEN_FILE = "admin-token"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where it is, the administrator's token, and its process."""

    api: int
    jobs: int
    token: str
    pid: int


@contextmanager
def running_controller(url: str, directory: Path, job_port: int) -> Iterator[Ports]:
    """With the settings that everybody gets, but for where things are."""
    command = [sys.executable, "-m", "tools.bench_parts.controlling"]
    with subprocess.Popen(
        [*command, url, str(directory), str(job_port)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            api, jobs = map(int, process.stdout.readline().split())
            yield Ports(api, jobs, (directory / TOKEN_FILE).read_text().strip(), process.pid)
        finally:
            process.kill()


def serve(url: str, directory: Path, job_port: int) -> None:
    """Until killed."""
    from libra.cmd.controlling import Controller

    if not job_port:
        embedded = EmbeddedJobServer()
        embedded.start()
        job_port = embedded.port
    # Thousands of load balancers, and two at once on a host not on the same addresses.
    addresses = AddressPoolSettings(ranges=(f"127.{100 + os.getpid() % 100}.0.0/20",))
    settings = Settings(
        job_servers=(JobServerSettings(port=job_port),),
        controller=ControllerSettings(
            key_file=directory / "secrets.key", admin_token_file=directory / TOKEN_FILE
        ),
        database=DatabaseSettings(url=url),
        api=ApiSettings(),
        address_pools=(addresses,),
    )
    controller = Controller(settings, api_port=0)
    controller.start()
    print(controller.api.port, job_port, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    from libra.logs import configure_logging

    configure_logging(level="error", as_json=False)
    serve(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
