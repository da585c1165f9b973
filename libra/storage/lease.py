"""Which of several controllers on one database manages: a lock that the database holds, or a file beside SQLite's.

Both are let go by the death of their holder, whatever it dies of, so that the next one need not wait for a time.
"""

import os
import socket
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from libra.daemon.lockfile import LockFile
from libra.errors import Conflict, StateError, StorageUnavailable
from libra.storage.base import LEASE_SECONDS, Lease
from libra.storage.engines import lock_number, open_engine, parse_url
from libra.storage.fences import MANAGER

NAME = MANAGER
SPAN = timedelta(seconds=LEASE_SECONDS)
LOST = (5, 2, 3)  # seconds until the first probe of a silent client, between probes, and how many
HOLDER = """
    SELECT pid, application_name FROM pg_stat_activity JOIN pg_locks USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND datname = current_database()
    AND (classid::bigint << 32 | objid::bigint) = :n
"""
TAKE = """
    UPDATE leases SET number = number + 1, holder = :holder, expires_at = clock_timestamp() + :span
    WHERE name = :name RETURNING number
"""
RENEW = """
    UPDATE leases SET expires_at = clock_timestamp() + :span
    WHERE name = :name AND number = :number RETURNING number
"""
IS_OVER = "SELECT expires_at < clock_timestamp() FROM leases WHERE name = :name"
RENEW_SECONDS = 1.0


def open_lease(url: str) -> Lease:
    """Holds nothing yet; raises `Invalid`."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        return FileLease(Path(f"{parsed.database}.{NAME}"))
    return PostgresLease(url)


class FileLease:
    """See `Lease`; for a database that is a file of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: LockFile | None = None
        self.holder = ""
        self.number = 0

    def hold(self) -> bool:
        """The file says the holder's pid."""
        if self._lock is not None:
            return True
        try:
            self._lock = LockFile(self._path, directory_mode=0o700)
        except Conflict as error:
            self.holder = str(error).rpartition(", ")[2]
            return False
        except StateError as error:
            raise StorageUnavailable(str(error)) from error
        self._lock.write_pid()
        return True

    def release(self) -> None:
        """Idempotent."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()


class PostgresLease:
    """See `Lease`; an advisory lock of a connection that is there for nothing else, and a row that says until when.

    The lock is let go by the death of its holder at once. A holder that is frozen or cut off keeps it, but does not
    renew the row: when that is over, whoever wants the lease ends the connection that has the lock. The row's number
    tells holders apart; see `libra.storage.fences`.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url, connections=1)
        self._connection: Connection | None = None
        self._held = False
        self._renew_at = 0.0
        self._name = f"libra manager {socket.gethostname()} pid {os.getpid()}"
        self.holder = ""
        self.number = 0

    def hold(self) -> bool:
        """Asks each time whether the connection is still there: without it the lock is another's."""
        try:
            connection = self._connection or self._connect()
            if not self._held:
                self._held = self._try(connection)
            elif not self._renew(connection):
                self._drop()
        except DBAPIError as error:
            self._drop()
            words = str(error.orig).strip().splitlines()
            why = words[0] if words else "it does not say why"
            raise StorageUnavailable(f"cannot use the database: {why}") from error
        return self._held

    def release(self) -> None:
        """Idempotent."""
        self._drop()
        self._engine.dispose()

    def _connect(self) -> Connection:
        connection = self._engine.connect()
        self._connection = connection
        name = {"n": self._name}
        connection.execute(text("SELECT set_config('application_name', :n, false)"), name)
        for setting, value in zip(("idle", "interval", "count"), LOST, strict=True):
            connection.execute(text(f"SET tcp_keepalives_{setting} = {value}"))
        return connection

    def _try(self, connection: Connection) -> bool:
        number = {"n": lock_number(NAME)}
        if connection.execute(text("SELECT pg_try_advisory_lock(:n)"), number).scalar():
            values = {"holder": self._name, "span": SPAN, "name": NAME}
            self.number = int(connection.execute(text(TAKE), values).scalar_one())
            self._renew_at = time.monotonic() + RENEW_SECONDS
            return True
        row = connection.execute(text(HOLDER), number).first()
        self.holder = str(row.application_name) if row else ""
        if row and connection.execute(text(IS_OVER), {"name": NAME}).scalar():
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": row.pid})
        return False

    def _renew(self, connection: Connection) -> bool:
        """Not more often than it takes."""
        if time.monotonic() < self._renew_at:
            connection.execute(text("SELECT 1"))
            return True
        values = {"span": SPAN, "name": NAME, "number": self.number}
        self._renew_at = time.monotonic() + RENEW_SECONDS
        return connection.execute(text(RENEW), values).scalar() is not None

    def _drop(self) -> None:
        connection, self._connection, self._held = self._connection, None, False
        if connection is not None:
            with suppress(DBAPIError):
                connection.invalidate()
            connection.close()
