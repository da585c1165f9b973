"""What is asked of the rows of a table: a page, by which values, in which order."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TagFilter:
    """Octavia's four: rows with all of `every`, one of `some`, not all of `not_every`, none of `not_some`."""

    every: tuple[str, ...] = ()
    some: tuple[str, ...] = ()
    not_every: tuple[str, ...] = ()
    not_some: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Since:
    """For `Query.where`: not before that time."""

    moment: datetime


@dataclass(frozen=True, slots=True)
class Has:
    """For `Query.where`: a tuple with this item, or session persistence of this kind."""

    item: str


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that the row `key` of another table names in its field `column`; None: rows that none of them names."""

    table: str
    column: str
    key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A page of rows.

    `where` maps names of fields to the value they must equal, to a collection of which they must equal one, to a
    `Since` or a `Has`; values are as in the record (enums, not their texts). `sort` holds (field, ascending) and is
    always followed by created_at and id. `marker` is the id of the row before the page, or behind it where
    `backwards`; `place` stands for it where that row may have moved: the values that it was sorted by, as `order_of`
    names them. `limit` None means all.
    """

    where: Mapping[str, object] = field(default_factory=dict)
    tags: TagFilter = TagFilter()
    parts: tuple[Part, ...] = ()
    sort: tuple[tuple[str, bool], ...] = ()
    marker: str | None = None
    place: tuple[object, ...] | None = None
    limit: int | None = None
    backwards: bool = False


EVERYTHING = Query()


def order_of(query: Query, fields: Collection[str], key: str = "id") -> Iterator[tuple[str, bool]]:
    """The names of the fields that rows with these fields are sorted by, always a total order; whether each ascends."""
    seen: set[str] = set()
    for name, ascends in [*query.sort, ("created_at", True), (key, True)]:
        if name not in seen and (name in fields or name != "created_at"):
            seen.add(name)
            yield name, ascends
