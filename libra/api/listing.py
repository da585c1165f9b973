"""Lists as Octavia gives them: filters on every attribute, tags, fields, sorting, pages with links."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from libra.api.filtering import BOOLEANS, Filters, is_hidden
from libra.errors import Invalid
from libra.messages.fields import quoted
from libra.model.access import Caller
from libra.storage.query import Query, TagFilter

AUXILIARY = frozenset(
    (
        *("limit", "marker", "page_reverse", "sort", "sort_key", "sort_dir", "fields"),
        *("tags", "tags-any", "not-tags", "not-tags-any"),
    )
)
MOST_TAGS = 50  # of one filter: each is a condition, and databases take only so many


@dataclass(frozen=True, slots=True)
class Page:
    """What a query string asks for. `nothing` where a value can match no row."""

    query: Query
    shown: tuple[str, ...] = ()
    asked: int | None = None
    nothing: bool = False


def parse_page(
    params: QueryParams,
    kind: type[Any],
    caller: Caller,
    most: int,
    aliases: Mapping[str, str] | None = None,
    alike: Mapping[str, object] | None = None,
    *,
    strict: bool = False,
) -> Page:
    """`kind` is the record, `aliases` map other spellings of its fields, `alike` is what all of them show.

    Raises `Invalid`; where it is `strict`, for a value that no row can have, too, of which Octavia gives none.
    """
    found = Filters(kind, aliases or {}, alike or {}, strict=strict)
    for name in dict.fromkeys(params.keys()):
        if name not in AUXILIARY:
            found.add(name, params.getlist(name))
    where, nothing = found.where, found.nothing
    if not caller.sees_everything:
        asked = where.setdefault("project_id", caller.project_id)
        nothing = nothing or asked != caller.project_id
    limit = parse_limit(params.get("limit"), most)
    query = Query(
        where=where,
        tags=_parse_tags(params),
        parts=tuple(found.parts),
        sort=parse_sort(
            params, [item.name for item in fields(kind) if not is_hidden(kind, item.name)]
        ),
        marker=params.get("marker") or None,
        limit=limit,
        backwards=BOOLEANS.get(params.get("page_reverse", "").lower(), False),
    )
    return Page(query, _split(params.getlist("fields")), limit, nothing)


def parse_limit(text: str | None, most: int) -> int:
    """Nothing, 0, a negative number and "infinite" mean as many as there may be."""
    if text is None or text.lower() == "infinite":
        return most
    try:
        limit = int(text)
    except ValueError:
        raise Invalid(f"cannot use the limit {quoted(text)}: it must be a whole number") from None
    return most if limit <= 0 else min(limit, most)


def _parse_tags(params: QueryParams) -> TagFilter:
    return TagFilter(
        every=_tags(params, "tags"),
        some=_tags(params, "tags-any"),
        not_every=_tags(params, "not-tags"),
        not_some=_tags(params, "not-tags-any"),
    )


def _tags(params: QueryParams, name: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(_split(params.getlist(name))))
    if len(found) > MOST_TAGS:
        raise Invalid(f"cannot filter by {len(found)} {name}: {MOST_TAGS} are the most")
    return found


def _split(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(part for value in values for part in value.split(",") if part)


def parse_sort(params: QueryParams, known: Sequence[str]) -> tuple[tuple[str, bool], ...]:
    """sort=KEY:DIR,KEY or sort_key and sort_dir."""
    if params.get("sort"):
        pairs = [part.partition(":")[::2] for part in _split(params.getlist("sort"))]
    else:
        keys, ways = params.getlist("sort_key"), params.getlist("sort_dir")
        pairs = [(key, ways[n] if n < len(ways) else "asc") for n, key in enumerate(keys)]
    for key, way in pairs:
        if key not in known or key == "session_persistence":
            raise Invalid(f"cannot sort by {quoted(key)}: there is no such attribute")
        if way.lower() not in ("", "asc", "desc"):
            raise Invalid(f"cannot sort {quoted(way)}: it must be asc or desc")
    return tuple((key, way.lower() != "desc") for key, way in pairs)


def choose_fields(body: dict[str, Any], shown: Sequence[str]) -> dict[str, Any]:
    """Only these keys, where some are asked for."""
    if not shown:
        return body
    return {name: value for name, value in body.items() if name in shown}


def build_links(
    path: str,
    params: QueryParams,
    rows: Sequence[Any],
    page: Page,
    mark: Callable[[Any], str] = attrgetter("id"),
) -> list[dict[str, str]]:
    """To the next page where this one is full, and back where it was not the first. `mark` gives a row's marker."""
    links = []
    is_full = len(rows) == page.asked  # also where more was asked for than a page may hold
    backwards = page.query.backwards
    if rows and (is_full or backwards):
        links.append(_link("next", path, params, mark(rows[-1]), reverse=False))
    if rows and (page.query.marker or (backwards and is_full)):
        links.append(_link("previous", path, params, mark(rows[0]), reverse=True))
    return links


def _link(
    relation: str, path: str, params: QueryParams, marker: str, *, reverse: bool
) -> dict[str, str]:
    kept = [
        (name, value)
        for name, value in params.multi_items()
        if name not in ("marker", "page_reverse")
    ]
    kept.append(("marker", marker))
    if reverse:
        kept.append(("page_reverse", "True"))
    return {"rel": relation, "href": f"{path}?{urlencode(kept)}"}
