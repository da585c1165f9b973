"""Connections to SQLite and PostgreSQL, set up so that both keep the same promises.

Without `begin` each statement is a transaction of its own.
"""

import hashlib
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    RootTransaction,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError

from libra.errors import Invalid

SQLITE_BUSY_SECONDS = 15
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 30
# Who is frozen in the middle of a transaction holds its locks; the server ends it before anybody has to wait long.
IDLE_SECONDS = 8
# A server that went without a word is noticed in about half a minute, not in the kernel's quarter of an hour.
DEAD_PEER = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
FORMS = "sqlite:////PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME"
WRITING = "libra_writing"
"""The execution option of a connection that is going to write; others see one moment and write nothing."""
_BEGIN = {
    # A writer takes its lock at once: one that read before would be refused later where another wrote.
    "sqlite": ("BEGIN", "BEGIN IMMEDIATE"),
    "postgresql": ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "BEGIN"),
}
"""For who only reads, and for who writes."""


def parse_url(url: str) -> URL:
    """Raises `Invalid`, with nothing of the URL in it: whatever is misread may be a part of its password."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise Invalid(f"cannot read the URL of the database: it is not {FORMS}") from None
    if "@" in (parsed.host or ""):
        raise Invalid("cannot read the URL of the database: @ in a password is written %40")
    if not parsed.database or parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise Invalid(f"cannot use the URL of the database: it is not {FORMS}")
    return parsed


def _postgresql_arguments(parsed: URL) -> dict[str, Any]:
    """Of libpq; whatever the URL itself says of one of them holds (`?connect_timeout=30`), options besides ours."""
    arguments = {"connect_timeout": CONNECT_SECONDS, **DEAD_PEER}
    given = {name: value for name, value in arguments.items() if name not in parsed.query}
    options = (
        f"-c statement_timeout={STATEMENT_SECONDS}s -c timezone=UTC "
        f"-c idle_in_transaction_session_timeout={IDLE_SECONDS}s"
    )
    theirs = parsed.normalized_query.get("options", ())
    return {**given, "options": " ".join((options, *theirs))}


def open_engine(url: str, *, connections: int = 20) -> Engine:
    """Connects to nothing yet; raises `Invalid`."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(
            parsed,
            connect_args={"timeout": SQLITE_BUSY_SECONDS, "check_same_thread": False},
            pool_size=connections,
            max_overflow=0,
        )
        event.listen(engine, "connect", _set_up_sqlite)
        return engine
    # Connections that died are noticed by the first statement, which is BEGIN, or may be repeated; see `SqlStorage`.
    return create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        connect_args=_postgresql_arguments(parsed),
        pool_size=connections,
        max_overflow=0,
        isolation_level="AUTOCOMMIT",
    )


def lock_number(name: str) -> int:
    """What an advisory lock of PostgreSQL is called."""
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def hold(connection: Connection, name: str) -> None:
    """Until the transaction's end. SQLite has one writer at a time anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": lock_number(name)})


def _set_up_sqlite(connection: Any, _record: object) -> None:
    """FULL: what was committed survives a loss of power. Transactions are begun below, not by the driver."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "case_sensitive_like = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def begin(connection: Connection) -> RootTransaction:
    """A transaction: one that writes where the connection's options say so.

    Not by a listener for what begins: as soon as an engine has one, each statement asks for four more. And not by the
    driver: psycopg's would say so to the server again and again.
    """
    transaction = connection.begin()
    writes = connection.get_execution_options().get(WRITING, False)
    connection.exec_driver_sql(_BEGIN[connection.dialect.name][writes])
    return transaction
