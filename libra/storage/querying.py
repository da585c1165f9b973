"""Queries as SQL: filters, tags, and pages by the keys of the row before."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Select,
    Table,
    Text,
    and_,
    case,
    false,
    literal,
    or_,
    select,
    type_coerce,
)

from libra.errors import Invalid
from libra.storage.columns import Persistence
from libra.storage.query import Has, Part, Query, Since, TagFilter, order_of

Key = tuple[ColumnElement[Any], bool]  # and whether it ascends


def build_conditions(table: Table, where: Mapping[str, object]) -> list[ColumnElement[bool]]:
    """Equality, or membership where a collection is given; raises `Invalid` for a field that is not there."""
    return [_condition(column_of(table, name), value) for name, value in where.items()]


def column_of(table: Table, name: str) -> ColumnElement[Any]:
    """Raises `Invalid`."""
    if name not in table.c:
        raise Invalid(f"cannot look for {name!a}: there is no such field")
    return table.c[name]


def _condition(column: ColumnElement[Any], value: object) -> ColumnElement[bool]:
    if isinstance(value, Since):
        return column >= value.moment
    if isinstance(value, Has):
        return _has(column, value.item)
    if isinstance(value, list | set | frozenset):
        return column.in_(list(value))
    if isinstance(value, int) and not can_hold(column, value):
        return false()
    return column.is_(None) if value is None else column == value


def can_hold(column: ColumnElement[Any], value: int) -> bool:
    """PostgreSQL refuses to look for a number that the column could never have."""
    is_short = isinstance(column.type, Integer) and not isinstance(column.type, BigInteger)
    return not is_short or -(2**31) <= value < 2**31


def _has(column: ColumnElement[Any], item: str) -> ColumnElement[bool]:
    """A text's own JSON stands in the list's where it is one of it, for quotes are escaped inside."""
    text = type_coerce(column, Text)
    if isinstance(column.type, Persistence):  # its kind is the first of the list
        return text.startswith(f"[{json.dumps(item)},", autoescape=True)
    return text.contains(json.dumps(item), autoescape=True)


def build_part_condition(table: Table, part: Part) -> ColumnElement[bool]:
    """Raises `Invalid`."""
    other = table.metadata.tables[part.table]
    owner = column_of(other, part.column)
    if part.key is None:
        return ~select(other.c.id).where(owner == table.c.id).exists()
    return table.c.id.in_(select(owner).where(other.c.id == part.key))


def build_tag_conditions(table: Table, tags: TagFilter) -> Iterator[ColumnElement[bool]]:
    """Octavia's four."""

    def has(tag: str) -> ColumnElement[bool]:
        return _has(table.c.tags, tag)

    if tags.every:
        yield and_(*map(has, tags.every))
    if tags.some:
        yield or_(*map(has, tags.some))
    if tags.not_every:
        yield ~and_(*map(has, tags.not_every))
    if tags.not_some:
        yield ~or_(*map(has, tags.not_some))


def narrow(every: Select[Any], table: Table, query: Query, connection: Connection) -> Select[Any]:
    """The rows of a page, out of a select of them all; one that is read backwards is turned by `in_order`."""
    conditions = build_conditions(table, query.where)
    if "tags" in table.c:
        conditions += build_tag_conditions(table, query.tags)
    conditions += [build_part_condition(table, part) for part in query.parts]
    keys = order_keys(table, query)
    if query.place is not None:
        conditions.append(_behind(keys, _of_place(table, query)))
    elif query.marker is not None:
        conditions.append(_behind(keys, _marker(table, keys, query.marker, connection)))
    order = [column.asc() if ascends else column.desc() for column, ascends in keys]
    return every.where(*conditions).order_by(*order).limit(query.limit)


def order_keys(table: Table, query: Query) -> list[Key]:
    """A null comes before every value."""
    keys: list[Key] = []
    for name, ascends in order_of(query, table.c.keys(), _primary(table)):
        column = column_of(table, name)
        if column.nullable:
            keys.append((case((column.is_(None), 0), else_=1), ascends != query.backwards))
        keys.append((column, ascends != query.backwards))
    return keys


def _of_place(table: Table, query: Query) -> list[Any]:
    """The values of `order_keys`."""
    values: list[Any] = []
    names = (name for name, _ in order_of(query, table.c.keys(), _primary(table)))
    for name, value in zip(names, query.place or (), strict=True):
        values += [int(value is not None), value] if table.c[name].nullable else [value]
    return values


def _primary(table: Table) -> str:
    (column,) = table.primary_key.columns
    return str(column.name)


def _marker(
    table: Table, keys: Sequence[Key], marker: str, connection: Connection
) -> Sequence[Any]:
    columns = [column for column, _ in keys]
    row = connection.execute(select(*columns).where(table.c[_primary(table)] == marker)).first()
    if row is None:
        raise Invalid(f"cannot find the marker {marker[:64]!a}")
    return row


def _behind(keys: Sequence[Key], values: Sequence[Any]) -> ColumnElement[bool]:
    """The first key that differs decides. A null is never compared: the key before it tells of nulls.

    That the first key is not before the marker's goes without saying, but databases find the place by it.
    """
    alternatives = []
    for index, (column, ascends) in enumerate(keys):
        if values[index] is None:
            continue
        same = [_condition(keys[n][0], values[n]) for n in range(index)]
        value = _bound(column, values[index])
        alternatives.append(and_(*same, column > value if ascends else column < value))
    first, ascends = keys[0]
    value = _bound(first, values[0])
    return and_(first >= value if ascends else first <= value, or_(*alternatives))


def _bound(column: ColumnElement[Any], value: object) -> ColumnElement[Any]:
    """SQLAlchemy itself compares with true and false for equality only."""
    return literal(value, type_=column.type)


def in_order(rows: list[Any], query: Query) -> list[Any]:
    """A page that was read backwards is turned."""
    return rows[::-1] if query.backwards else rows


def chunks(items: Collection[Any], size: int = 500) -> Iterator[list[Any]]:
    """Databases take only so many values in one statement."""
    every = list(items)
    for start in range(0, len(every), size):
        yield every[start : start + size]
