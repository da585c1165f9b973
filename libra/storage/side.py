"""Events, issued tokens, addresses and counters in SQL."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, and_, case, delete, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from libra.errors import AlreadyExists
from libra.model.access import IssuedToken
from libra.model.counters import ListenerCounters
from libra.model.event import Event
from libra.storage import tables
from libra.storage.engines import hold
from libra.storage.querying import build_conditions, chunks
from libra.storage.rows import SqlRows


class SqlEvents:
    """See `EventRows`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._added: list[dict[str, Any]] = []

    def add(self, event: Event) -> None:
        """Kept until `write`."""
        values = asdict(event)
        del values["id"]
        self._added.append(values)

    def write(self) -> None:
        """The last thing that a transaction does: until its commit nobody else is given an id.

        PostgreSQL counts when a row is written, but shows it when its transaction ends. Without the lock one with a
        larger id may be seen first, and whoever reads on from there never sees the other. Taken last, by one that
        waits for nothing any more, it cannot be part of a deadlock.
        """
        if not self._added:
            return
        hold(self._connection, "events")
        self._connection.execute(insert(tables.events), self._added)
        self._added = []

    def since(
        self,
        after: int,
        *,
        limit: int,
        where: Mapping[str, object] | None = None,
        kind_prefix: str = "",
    ) -> list[Event]:
        """Oldest first."""
        table = tables.events
        conditions = [table.c.id > after, *build_conditions(table, where or {})]
        if kind_prefix:
            conditions.append(table.c.kind.startswith(kind_prefix, autoescape=True))
        statement = select(table).where(*conditions).order_by(table.c.id).limit(limit)
        return [Event(**row) for row in self._connection.execute(statement).mappings()]

    def prune(self, before: datetime, limit: int) -> int:
        """How many went."""
        table = tables.events
        oldest = select(table.c.id).where(table.c.at < before).order_by(table.c.at).limit(limit)
        statement = delete(table).where(table.c.id.in_(oldest))
        return int(self._connection.execute(statement).rowcount)


class SqlIssuedTokens(SqlRows[IssuedToken]):
    """See `IssuedTokenRows`."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.issued_tokens, IssuedToken)

    def prune(self, before: datetime) -> int:
        """How many went."""
        table = tables.issued_tokens
        ended = delete(table).where(table.c.expires_at < before)
        return int(self._connection.execute(ended).rowcount)


class SqlAddresses:
    """See `AddressRows`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def owner(self, address: str) -> str | None:
        """None where it is free."""
        table = tables.addresses
        statement = select(table.c.loadbalancer_id).where(table.c.address == address)
        return self._connection.execute(statement).scalar()

    def taken(self, pool: str) -> set[str]:
        """All of them."""
        table = tables.addresses
        statement = select(table.c.address).where(table.c.pool == pool)
        return set(self._connection.execute(statement).scalars())

    def take(self, address: str, pool: str, loadbalancer_id: str) -> None:
        """Raises `AlreadyExists`; the transaction lives on."""
        from sqlalchemy.exc import IntegrityError

        values = {"address": address, "pool": pool, "loadbalancer_id": loadbalancer_id}
        try:
            with self._connection.begin_nested():
                self._connection.execute(insert(tables.addresses).values(values))
        except IntegrityError as error:
            raise AlreadyExists(f"cannot take the address {address}: another has it") from error

    def release(self, loadbalancer_id: str) -> None:
        """Idempotent."""
        table = tables.addresses
        self._connection.execute(delete(table).where(table.c.loadbalancer_id == loadbalancer_id))


class SqlCounters:
    """See `CounterRows`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows = SqlRows(connection, tables.counters, ListenerCounters)

    def of_listener(self, key: str) -> ListenerCounters | None:
        """None where nothing was reported yet."""
        return self._rows.get(key)

    def of_loadbalancer(self, key: str) -> list[ListenerCounters]:
        """In any order."""
        table = tables.counters
        return self._rows.matching(table.c.loadbalancer_id == key)

    def record(self, device_id: str, readings: Iterable[ListenerCounters]) -> None:
        """One statement for some hundred of them."""
        rows = [
            asdict(reading)
            | {"device_id": device_id}
            | {seen: getattr(reading, name) for name, seen in tables.SEEN.items()}
            for reading in readings
        ]
        for chunk in chunks(rows):
            self._connection.execute(_upsert(self._connection.dialect.name), chunk)


@cache
def _upsert(dialect: str) -> Any:
    """Both databases have it, and SQLAlchemy a class for each."""
    table = tables.counters
    insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    told = insert.excluded
    goes_on = and_(
        or_(table.c.device_id.is_(None), table.c.device_id == told.device_id),
        *(told[seen] >= table.c[seen] for seen in tables.SEEN.values()),
    )
    totals = {
        name: table.c[name] + told[seen] - case((goes_on, table.c[seen]), else_=0)
        for name, seen in tables.SEEN.items()
    }
    as_told = ("device_id", "active_connections", *tables.SEEN.values())
    return insert.on_conflict_do_update(
        index_elements=[table.c.listener_id],
        set_=totals | {name: told[name] for name in as_told},
    )
