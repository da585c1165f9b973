"""Markers that say where a page ended, for rows that may have moved, or be gone, when the next is asked for. Pure.

A marker that is an id means the place where its row is now. The record of a probe moves to the end with every probe,
and old jobs are forgotten: a page behind such a row would leave out whatever was between. So links hold the values
that the row was sorted by; ids are taken, too.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, get_type_hints

from libra.api.filtering import convert
from libra.api.schemas.shown import plain
from libra.errors import Invalid
from libra.messages.fields import quoted
from libra.storage.query import Query, order_of

_BEGIN = "["


def marker_of(query: Query, kind: Any) -> Callable[[Any], str]:
    """What writes the marker of a row."""
    names = _names(query, kind)
    return lambda row: json.dumps([plain(name, getattr(row, name)) for name in names])


def read_place(marker: str | None, query: Query, kind: Any) -> tuple[object, ...] | None:
    """None where it is an id; raises `Invalid` for one of another order."""
    if marker is None or not marker.startswith(_BEGIN):
        return None
    hints, names = get_type_hints(kind), _names(query, kind)
    try:
        values = json.loads(marker)
        if len(values) == len(names):
            return tuple(_read(v, hints[n]) for n, v in zip(names, values, strict=True))
    except (ValueError, TypeError, RecursionError):
        pass
    raise Invalid(f"cannot find the marker {quoted(marker)}: follow the links of the page before")


def _names(query: Query, kind: Any) -> Sequence[str]:
    known = [field.name for field in fields(kind)]
    return [name for name, _ in order_of(query, known)]


def _read(value: object, hint: Any) -> object:
    """Raises `ValueError`."""
    if value is None and type(None) in getattr(hint, "__args__", ()):
        return None
    found, possible = convert(str(value), hint)
    if value is None or not possible or found is None:
        raise ValueError
    return found
