"""The console script libra."""

import io
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from libra.cli.app import app
from libra.cli.wiring import Fleet, JobServer, Wiring

if TYPE_CHECKING:
    from libra.config.settings import JobServerSettings
    from libra.jobs.base import JobClient

INTERRUPTED = 130  # as a shell tells of SIGINT


def main() -> None:
    """Wire the commands and run the one that was asked for."""
    wiring = wire(os.environ)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # where the terminal knows ASCII only
    try:
        app(prog_name="libra", obj=wiring)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def wire(environ: Mapping[str, str]) -> Wiring:
    """The real ones."""
    return Wiring(
        open_job_client=open_job_client,
        create_job_server=create_job_server,
        create_fleet=create_fleet,
        upgrade_database=upgrade_database,
        check_database=check_database,
        environ=environ,
    )


def open_job_client(servers: "Sequence[JobServerSettings]") -> "JobClient":
    """A client of real Gearman servers. It fails with an error, so its log would only say it twice."""
    from libra.logs import configure_logging

    configure_logging(level="error")
    from libra.jobs.gearman import GearmanJobClient

    return GearmanJobClient(servers)


def create_job_server(host: str, port: int) -> JobServer:
    """The embedded server, whose log goes to standard error."""
    from libra.logs import configure_logging

    configure_logging()
    from libra.jobs.embedded import EmbeddedJobServer

    return EmbeddedJobServer(host, port)


def create_fleet(
    state_dir: Path, api_port: int, job_port: int, object_stores: Sequence[str]
) -> Fleet:
    """Everything of `libra up`; its log goes to standard error."""
    from libra.logs import configure_logging

    configure_logging(level="warning")
    from libra.daemon.heap import loading

    with loading():
        from libra.cmd.up import LocalFleet

    return LocalFleet(state_dir, api_port=api_port, job_port=job_port, object_stores=object_stores)


def upgrade_database(url: str) -> str:
    """Gives the revision."""
    from libra.storage.schema import upgrade

    return upgrade(url)


def check_database(url: str) -> None:
    """Raises `StorageUnavailable`."""
    from libra.storage.sql import open_storage

    storage = open_storage(url, connections=2)
    try:
        storage.check(whole=True)
    finally:
        storage.close()
