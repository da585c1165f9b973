"""Records in tables: what every kind of them can do."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields
from functools import cache
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Delete,
    Row,
    Select,
    Table,
    Update,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from libra.errors import AlreadyExists, NotFound
from libra.storage.prepared import prepare, prepare_count
from libra.storage.query import EVERYTHING, Query
from libra.storage.querying import build_conditions, chunks, in_order, narrow

R = TypeVar("R")
WHICH = "which"  # no column of any table has this name


class SqlRows(Generic[R]):
    """The records of one table, whose columns are named as their fields."""

    def __init__(self, connection: Connection, table: Table, kind: type[R]) -> None:
        self._connection = connection
        self._table = table
        self._kind = kind
        self._names = _names_of(kind)  # type: ignore[arg-type]
        self._key = _key_of(table)

    def get(self, key: str) -> R | None:
        """None where there is none."""
        statement = _select_one_of(self._table, self._names)
        row = self._connection.execute(statement, {"key": key}).first()
        return self._record(row) if row is not None else None

    def find(self, query: Query = EVERYTHING) -> list[R]:
        """The rows of a page; raises `Invalid` for an unknown field or marker."""
        if prepared := prepare(self._select(), self._table, query):
            return in_order(self._records(*prepared), query)
        page = narrow(self._select(), self._table, query, self._connection)
        return in_order(self._records(page), query)

    def ids_by(self, name: str, values: Collection[str]) -> dict[str, list[str]]:
        """Without their records; every value is there."""
        found: dict[str, list[str]] = {value: [] for value in values}
        for chunk in chunks(values):
            statement = _select_ids_of(self._table, name)
            for value, key in self._connection.execute(statement, {"values": chunk}).all():
                found[value].append(key)
        return found

    def matching(self, condition: ColumnElement[bool], *order: Any) -> list[R]:
        """The rows of a condition that a `Query` has no words for."""
        return self._records(self._select().where(condition).order_by(*order))

    def owned(self, owners: Select[Any], values: Mapping[str, object]) -> list[R]:
        """The parts of load balancers that a select of ids finds, which is made once; by creation."""
        return self._records(_select_owned(self._table, self._names, owners), values)

    def count(self, where: Mapping[str, object]) -> int:
        """How many rows have these values."""
        if prepared := prepare_count(self._table, where):
            return int(self._connection.execute(*prepared).scalar_one())
        conditions = build_conditions(self._table, where)
        statement = select(func.count()).select_from(self._table).where(*conditions)
        return int(self._connection.execute(statement).scalar_one())

    def add(self, record: R) -> None:
        """Raises `AlreadyExists`; the transaction lives on."""
        self.add_all([record])

    def add_all(self, records: Iterable[R]) -> None:
        """As `add`, in one statement."""
        values = [self._values(record) for record in records]
        if values:
            self._write(insert(self._table), values)

    def replace(self, record: R) -> None:
        """Raises `NotFound` and `AlreadyExists`."""
        values = self._values(record)
        key = values.pop(self._key.name)
        changed = self._write(_update_one_of(self._table), {**values, WHICH: key})
        if not changed:
            raise NotFound(f"cannot change {self._table.name} {key}: it is gone")

    def remove(self, key: str) -> None:
        """Idempotent."""
        self._connection.execute(_delete_one_of(self._table), {WHICH: key})

    def _write(self, statement: Any, values: list[dict[str, Any]] | dict[str, Any]) -> int:
        """A value that is taken does not end the transaction."""
        try:
            with self._savepoint(rows=len(values) if isinstance(values, list) else 1):
                return int(self._connection.execute(statement, values).rowcount)
        except IntegrityError as error:
            raise AlreadyExists(f"cannot write {self._table.name}: {_explain(error)}") from error

    def _savepoint(self, rows: int) -> AbstractContextManager[object]:
        """None where SQLite writes one row: it takes back the statement that failed, and nothing else."""
        if rows == 1 and self._connection.dialect.name == "sqlite":
            return nullcontext()
        return self._connection.begin_nested()

    def _values(self, record: R) -> dict[str, Any]:
        return {name: getattr(record, name) for name in self._names}

    def _select(self) -> Select[Any]:
        """Columns stand as the fields do; see `_record`."""
        return _select_of(self._table, self._names)

    def _records(
        self, statement: Select[Any], values: Mapping[str, object] | None = None
    ) -> list[R]:
        return [self._record(row) for row in self._connection.execute(statement, values).all()]

    def _record(self, row: Row[Any]) -> R:
        return self._kind(**dict(zip(self._names, row, strict=True)))


@cache
def _names_of(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


@cache
def _select_one_of(table: Table, names: tuple[str, ...]) -> Select[Any]:
    """Made once: to make it takes longer than to execute it."""
    return _select_of(table, names).where(_key_of(table) == bindparam("key"))


@cache
def _select_owned(table: Table, names: tuple[str, ...], owners: Select[Any]) -> Select[Any]:
    found = _select_of(table, names).where(table.c.loadbalancer_id.in_(owners))
    return found.order_by(table.c.created_at, _key_of(table))


@cache
def _update_one_of(table: Table) -> Update:
    return update(table).where(_key_of(table) == bindparam(WHICH))


@cache
def _delete_one_of(table: Table) -> Delete:
    return delete(table).where(_key_of(table) == bindparam(WHICH))


@cache
def _select_ids_of(table: Table, name: str) -> Select[Any]:
    column, key = table.c[name], _key_of(table)
    wanted = column.in_(bindparam("values", expanding=True))
    return select(column, key).where(wanted).order_by(table.c.created_at, key)


@cache
def _key_of(table: Table) -> Any:
    (key,) = table.primary_key.columns
    return key


@cache
def _select_of(table: Table, names: tuple[str, ...]) -> Select[Any]:
    return select(*(table.c[name] for name in names))


def _explain(error: IntegrityError) -> str:
    """Without the values: they may be anything."""
    words = str(error.orig).splitlines()[0] if error.orig else "a value is taken"
    return words.partition("DETAIL")[0].strip()
