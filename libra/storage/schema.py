"""The database's schema: brought up to this release, by one process at a time, or checked."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from libra.errors import StorageUnavailable
from libra.storage.engines import WRITING, begin, open_engine, parse_url
from libra.storage.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
NO_SCHEMA = "cannot use the database: it has no schema yet; 'libra db upgrade' makes it"
LOCK = 0x6C69627261  # "libra"


def upgrade(url: str) -> str:
    """Make a new database, or bring an older one up to date; gives the revision.

    Whoever comes meanwhile waits. Raises `StorageUnavailable`, and `Invalid` for a URL that is none.
    """
    _make_file(url)
    engine = open_engine(url, connections=2)
    try:
        with _alone(engine, url), engine.connect() as connection:
            connection.execution_options(**{WRITING: True})
            with begin(connection):
                return _upgrade(connection)
    except (DBAPIError, OSError) as error:
        words = str(getattr(error, "orig", error)).strip().splitlines()
        raise StorageUnavailable(f"cannot upgrade the database: {words[0]}") from error
    finally:
        engine.dispose()


def check_schema(connection: Connection) -> str:
    """The revision; raises `StorageUnavailable` where it is not this release's."""
    from alembic.runtime.migration import MigrationContext

    found = MigrationContext.configure(connection).get_current_revision()
    wanted = newest_revision()
    if found is None:
        raise StorageUnavailable(NO_SCHEMA)
    if found != wanted:
        raise StorageUnavailable(
            f"cannot use the database: its schema is {found}, this release's is {wanted}; "
            "'libra db upgrade' brings an older one up to date"
        )
    return found


def check_tables(connection: Connection) -> None:
    """Raises `StorageUnavailable` where something is missing that the schema of this release has."""
    if missing := sorted(_missing(connection)):
        raise StorageUnavailable(
            f"cannot use the database: it lacks {', '.join(missing)}; bring back a copy that has it"
        )


def _missing(connection: Connection) -> Iterator[str]:
    """Tables and columns that somebody has removed by hand."""
    found = inspect(connection).get_multi_columns()
    columns = {table: {column["name"] for column in of} for (_, table), of in found.items()}
    for table in metadata.sorted_tables:
        if table.name not in columns:
            yield f"the table {table.name}"
            continue
        for column in table.columns:
            if column.name not in columns[table.name]:
                yield f"the column {table.name}.{column.name}"


def newest_revision() -> str:
    """This release's."""
    return _revisions()[0]


@cache
def _revisions() -> tuple[str, ...]:
    """Those that this release knows, the newest first. To read them takes longer than to find a schema up to date."""
    from alembic.script import ScriptDirectory

    walked = ScriptDirectory.from_config(_config()).walk_revisions()
    return tuple(item.revision for item in walked)


def _upgrade(connection: Connection) -> str:
    from alembic import command
    from alembic.runtime.migration import MigrationContext

    found = MigrationContext.configure(connection).get_current_revision()
    if found == newest_revision():
        return found
    if found is not None and found not in _revisions():
        raise StorageUnavailable(
            f"cannot upgrade the database: its schema {found} is of a newer release"
        )
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return check_schema(connection)


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _make_file(url: str) -> None:
    """Of SQLite, and its directory: what is in it is nobody else's."""
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return
    try:
        path = Path(parsed.database)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        raise StorageUnavailable(
            f"cannot make a file for the database: {error.strerror}"
        ) from error


@contextmanager
def _alone(engine: Engine, url: str) -> Iterator[None]:
    """A lock of the database's own, or of a file beside it."""
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite":
        with engine.connect() as connection, begin(connection):
            connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": LOCK})
            yield
        return
    with Path(f"{parsed.database}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
