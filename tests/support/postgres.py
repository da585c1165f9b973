"""A PostgreSQL of the tests' own on loopback, as an unprivileged user."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from libra.storage.schema import upgrade
from tests.support.ports import free_port

USER = "libra"
ENOUGH_BYTES = 4 * 1024**3


def installed_binaries() -> Path | None:
    """Debian's newest; they are in no PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def find_binaries() -> Path:
    """Skips the test where there are none, but fails where CI is set."""
    found = installed_binaries()
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            "PostgreSQL's server is not installed (Debian: postgresql)"
        )
    return found


class Postgres:
    """One server; every test gets a database of its own."""

    def __init__(self, directory: Path) -> None:
        self._binaries = find_binaries()
        self._directory = self.socket_directory = directory
        self._databases = 0
        self._laid_out: str | None = None
        self.port = free_port()

    def start(self) -> None:
        """Returns when it takes connections."""
        data = self._directory / "data"
        if not data.exists():
            self._run(
                "initdb", "-D", str(data), "-U", USER, "-A", "trust", "--locale=C.UTF-8", "-N"
            )
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200"
            " -c autovacuum=off -c full_page_writes=off"
        )
        options += f" -c unix_socket_directories={self._directory}"
        log = str(self._directory / "log")
        self._run("pg_ctl", "-D", str(data), "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """At once, as where the machine dies."""
        self._run("pg_ctl", "-D", str(self._directory / "data"), "-m", "immediate", "-w", "stop")

    def new_url(self, *, template: str = "template1") -> str:
        """Of a new database, without tables."""
        self._databases += 1
        name = f"test{self._databases}_{time.monotonic_ns()}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            # The other way, the only one before 15, writes every page to the log, too.
            how = "STRATEGY FILE_COPY" if connection.info.server_version >= 150000 else ""
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} {}").format(
                    sql.Identifier(name), sql.Identifier(template), sql.SQL(how)
                )
            )
        return self._url(name)

    def laid_out_url(self) -> str:
        """Of a new database that is up to date: a copy of one, for that takes ten times as long to make."""
        if self._laid_out is None:
            url = self.new_url()
            upgrade(url)
            self._laid_out = make_url(url).database
        return self.new_url(template=str(self._laid_out))

    def _url(self, name: str) -> str:
        # A busy machine may leave a new connection waiting for longer than is sensible for a service.
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{name}?connect_timeout=30"

    def _run(self, program: str, *arguments: str) -> None:
        """PostgreSQL refuses to run as root."""
        as_other = os.getuid() == 0
        prefix = ["runuser", "-u", "postgres", "--"] if as_other else []
        subprocess.run(
            [*prefix, str(self._binaries / program), *arguments],
            cwd="/",
            check=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if program == "pg_ctl" else None,
        )


def _find_room() -> Path | None:
    """In memory where there is plenty: each database is 300 files, which take some disks a fifth of a second."""
    memory = Path("/dev/shm")
    with suppress(OSError):
        if shutil.disk_usage(memory).free > ENOUGH_BYTES:
            return memory
    return None


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """In a directory that its user may enter."""
    directory = Path(tempfile.mkdtemp(prefix="libra-pg-", dir=_find_room()))
    if os.getuid() == 0:
        shutil.chown(directory, "postgres", pwd.getpwnam("postgres").pw_gid)
    server = Postgres(directory)
    server.start()
    try:
        yield server
    finally:
        with suppress(subprocess.CalledProcessError):  # a test that stopped it may have failed then
            server.stop()
        shutil.rmtree(directory, ignore_errors=True)
