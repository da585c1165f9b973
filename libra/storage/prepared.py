"""Queries whose SQL is made once for all of their kind: to make it takes longer than to execute it."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, bindparam, func, select

from libra.storage.query import Has, Query, Since, TagFilter
from libra.storage.querying import can_hold, column_of, order_keys

# How a value is compared: all that the statement has to know of it.
NULL, ONE_OF, SAME = "null", "one of", "same"
Hows = tuple[tuple[str, str], ...]
Shape = tuple[Hows, tuple[tuple[str, bool], ...], bool, bool]
KINDS = 1000
NO_TAGS = TagFilter()


def prepare(
    every: Select[Any], table: Table, query: Query
) -> tuple[Select[Any], dict[str, Any]] | None:
    """The statement, made of a select of all rows, and its values; None where a query is not so simple.

    Raises `Invalid` for an unknown field.
    """
    if query.parts or query.tags != NO_TAGS or query.marker or query.place is not None:
        return None
    hows = _hows(table, query.where)
    if hows is None:
        return None
    values = _values(query.where, hows)
    if query.limit is not None:
        values["most"] = query.limit
    return _make(every, table, (hows, query.sort, query.limit is None, query.backwards)), values


def prepare_count(
    table: Table, where: Mapping[str, object]
) -> tuple[Select[Any], dict[str, Any]] | None:
    """As `prepare`, of how many rows have these values."""
    hows = _hows(table, where)
    return None if hows is None else (_make_count(table, hows), _values(where, hows))


def _hows(table: Table, where: Mapping[str, object]) -> Hows | None:
    hows = tuple((name, _how(table, name, value)) for name, value in where.items())
    return hows if all(how for _, how in hows) else None


def _values(where: Mapping[str, object], hows: Hows) -> dict[str, Any]:
    given: Mapping[str, Any] = where
    return {
        f"is_{name}": list(given[name]) if how == ONE_OF else given[name]
        for name, how in hows
        if how != NULL
    }


def _how(table: Table, name: str, value: object) -> str:
    column = column_of(table, name)
    if value is None:
        return NULL
    if isinstance(value, list | set | frozenset):
        return ONE_OF
    is_simple = not isinstance(value, Since | Has)
    return SAME if is_simple and (not isinstance(value, int) or can_hold(column, value)) else ""


@lru_cache(KINDS)
def _make(every: Select[Any], table: Table, shape: Shape) -> Select[Any]:
    hows, sort, is_whole, backwards = shape
    query = Query(sort=sort, backwards=backwards)
    order = [
        column.asc() if ascends else column.desc() for column, ascends in order_keys(table, query)
    ]
    statement = every.where(*(_compare(table.c[name], name, how) for name, how in hows)).order_by(
        *order
    )
    return statement if is_whole else statement.limit(bindparam("most"))


@lru_cache(KINDS)
def _make_count(table: Table, hows: Hows) -> Select[Any]:
    conditions = (_compare(table.c[name], name, how) for name, how in hows)
    return select(func.count()).select_from(table).where(*conditions)


def _compare(column: ColumnElement[Any], name: str, how: str) -> ColumnElement[bool]:
    if how == NULL:
        return column.is_(None)
    if how == ONE_OF:
        return column.in_(bindparam(f"is_{name}", expanding=True))
    return column == bindparam(f"is_{name}")
