"""Events, addresses and counters in SQL."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from libra.errors import AlreadyExists
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
        statement = select(table).where(table.c.loadbalancer_id == key)
        rows = self._connection.execute(statement).mappings()
        return [ListenerCounters(**row) for row in rows]

    def set_all(self, counters: Iterable[ListenerCounters]) -> None:
        """Away with the old ones, then all at once."""
        every = list(counters)
        table = tables.counters
        for chunk in chunks([item.listener_id for item in every]):
            self._connection.execute(delete(table).where(table.c.listener_id.in_(chunk)))
        self._rows.add_all(every)
