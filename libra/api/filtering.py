"""Filters of lists: every attribute of an answer, as texts of a query string, and what they mean to the storage."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from libra.api.schemas.filters import ONLY, PARTS, SINGLE
from libra.api.schemas.shown import NULL_WHERE_EMPTY, SPELLINGS
from libra.errors import Invalid
from libra.messages.addresses import parse_ip_address
from libra.messages.fields import quoted
from libra.model.access import Token
from libra.model.resources.pool import PersistenceKind, PoolPersistence
from libra.storage.query import Has, Part

HIDDEN = SPELLINGS | {"tags", "going", "sealed", "pem", "sealed_key", "sealed_token"}
"""No filters: some have filters of their own, the others are nobody's."""
SECRET: Mapping[type[Any], str] = {Token: "digest"}
"""Another one that is nobody's, of records where the name says something else."""
ADDRESSES = frozenset(("address", "monitor_address", "vip_address"))
"""Found in any spelling."""
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_NUMBER = re.compile(r"-?[0-9]{1,17}")
_NULLS = ("null", "none")
_KINDS = {
    datetime: "a time like 2026-11-27T01:00:00Z",
    int: "a whole number",
    bool: "true or false",
}


def is_hidden(kind: type[Any], field: str) -> bool:
    """Neither a filter nor to be sorted by."""
    return field in HIDDEN or field == SECRET.get(kind)


class Filters:
    """What rows must be; `nothing` where none can be that, which is refused where it is `strict`."""

    def __init__(
        self, kind: Any, aliases: Mapping[str, str], alike: Mapping[str, object], *, strict: bool
    ) -> None:
        self._kind = kind
        self._strict = strict
        self._hints = _hints_of(kind)
        self._aliases = aliases
        self._alike = alike
        self._known_parts = PARTS.get(kind, {})
        self._only = ONLY.get(kind, {})
        self.where: dict[str, object] = {}
        self.parts: list[Part] = []
        self.nothing = False

    def add(self, name: str, values: Sequence[str]) -> None:
        """Raises `Invalid`."""
        field = self._aliases.get(name, name)
        is_stored = field in self._hints and not is_hidden(self._kind, field)
        if not is_stored and name not in self._alike and name not in self._known_parts:
            raise Invalid(f"Unknown attribute for argument: {quoted(name)}")
        if len(values) > 1:
            raise Invalid(f"cannot filter by {quoted(name)}: it is given twice")
        (text,) = values
        if name in self._alike:
            self.nothing |= not _is_shown_as(self._alike[name], text)
        elif name in self._known_parts:
            key = None if name in SINGLE and text.lower() in _NULLS else text
            self.parts.append(Part(*self._known_parts[name], key))
        else:
            self._add_field(name, field, text)

    def _add_field(self, name: str, field: str, text: str) -> None:
        if field in self._only:
            other, values = self._only[field]
            is_null = text.lower() in _NULLS
            every = frozenset(self._hints[other])
            self._narrow(other, every - values if is_null else values)
            if is_null:
                return
        if field in NULL_WHERE_EMPTY and text.lower() in _NULLS:
            self.where[field] = ()
            return
        if field in ADDRESSES:
            text = parse_ip_address(text) or text
        value, possible = convert(text, self._hints[field])
        if self._strict and not possible:
            must = _describe(self._hints[field])
            raise Invalid(f"cannot filter by the {name} {quoted(text)}: it must be {must}")
        self.nothing |= not possible
        if field in self.where:  # by what another is shown only of
            self._narrow(field, frozenset((value,)))
        else:
            self.where[field] = value

    def _narrow(self, field: str, values: frozenset[Any]) -> None:
        before = self.where.get(field, values)
        self.where[field] = values & (
            before if isinstance(before, frozenset) else frozenset((before,))
        )


def _is_shown_as(value: object, text: str) -> bool:
    if value is None:
        return text.lower() in _NULLS
    return BOOLEANS.get(text.lower()) is value if isinstance(value, bool) else text == value


@cache
def _hints_of(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _describe(hint: Any) -> str:
    """What a value may be."""
    kind = next(item for item in (get_args(hint) or (hint,)) if item is not NoneType)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of " + ", ".join(str(item.value) for item in kind)
    return _KINDS.get(kind, "something else")


def convert(text: str, hint: Any) -> tuple[object, bool]:
    """The value as the record has it, and whether any row could have it."""
    if get_origin(hint) is tuple:
        return Has(text), True
    kinds = [item for item in (get_args(hint) or (hint,)) if item is not type(None)]
    kind = kinds[0]
    if text.lower() in _NULLS and len(get_args(hint)) > len(kinds):
        return None, True
    if kind is bool:
        return BOOLEANS.get(text.lower()), text.lower() in BOOLEANS
    if kind is int:
        return (int(text), True) if _NUMBER.fullmatch(text) else (None, False)
    if isinstance(kind, type) and issubclass(kind, Enum):
        found = next((item for item in kind if str(item.value).upper() == text.upper()), None)
        return found, found is not None
    if kind is datetime:
        return _convert_time(text)
    if kind is PoolPersistence:
        return Has(text.upper()), text.upper() in {item.value for item in PersistenceKind}
    return (text, True) if kind is str else (None, False)


def _convert_time(text: str) -> tuple[object, bool]:
    # The + of a zone is a space in a query string that was not encoded.
    text = re.sub(r"(T.*) (\d\d:\d\d)$", r"\1+\2", text)
    try:
        value = datetime.fromisoformat(text)
        # also what overflows in UTC, which is what is stored
        return (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)), True
    except (ValueError, OverflowError):
        return None, False
