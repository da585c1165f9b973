"""Lists of what is put together for its answer, and is no table's row: narrowed, sorted and paged as it is shown."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.datastructures import QueryParams

from libra.api.filtering import BOOLEANS
from libra.api.listing import AUXILIARY, Page, parse_limit, parse_sort
from libra.errors import Invalid
from libra.messages.fields import quoted
from libra.storage.query import Query

Shown = Mapping[str, Any]


def choose_rows(
    params: QueryParams, rows: Sequence[Shown], names: Sequence[str], most: int
) -> tuple[list[Shown], Page]:
    """`rows` are in the order that they have by themselves, `names` what each of them has. Raises `Invalid`."""
    found = list(rows)
    for name in dict.fromkeys(params.keys()):
        if name not in AUXILIARY:
            found = _narrow(found, name, params.getlist(name), names)
    for name, ascending in reversed(parse_sort(params, names)):
        found.sort(key=lambda row: (row[name] is None, str(row[name])), reverse=not ascending)
    limit = parse_limit(params.get("limit"), most)
    marker = params.get("marker") or None
    backwards = BOOLEANS.get(params.get("page_reverse", "").lower(), False)
    page = Page(Query(marker=marker, limit=limit, backwards=backwards), asked=limit)
    return _cut(found, page.query), page


def _narrow(
    rows: list[Shown], name: str, values: Sequence[str], names: Sequence[str]
) -> list[Shown]:
    if name not in names:
        raise Invalid(f"Unknown attribute for argument: {quoted(name)}")
    if len(values) > 1:
        raise Invalid(f"cannot filter by {quoted(name)}: it is given twice")
    return [row for row in rows if _is(row[name], values[0])]


def _is(value: object, text: str) -> bool:
    if value is None:
        return text.lower() in ("null", "none")
    return BOOLEANS.get(text.lower()) is value if isinstance(value, bool) else text == str(value)


def _cut(rows: list[Shown], query: Query) -> list[Shown]:
    if query.marker is not None:
        places = [n for n, row in enumerate(rows) if row["id"] == query.marker]
        if not places:
            raise Invalid(f"cannot find the marker {quoted(query.marker)}")
        rows = rows[: places[0]] if query.backwards else rows[places[0] + 1 :]
    assert query.limit is not None
    return rows[-query.limit :] if query.backwards else rows[: query.limit]
