"""Types of columns: values go in and come out as records have them."""

import json
from dataclasses import asdict, fields
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from sqlalchemy import DateTime, Dialect, String, Text
from sqlalchemy.types import TypeDecorator

from libra.model.controller import LoopState
from libra.model.resources.pool import PersistenceKind, PoolPersistence

_LOOP_FIELDS = tuple(field.name for field in fields(LoopState))


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC, to the microsecond; SQLite has no time zones, so it is stored without one there."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuses a time without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError(f"a time without a zone: {value}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """In UTC, whatever the server's zone is."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class EnumText(TypeDecorator[Enum]):
    """An enum by its value."""

    impl = String(32)
    cache_ok = True

    def __init__(self, kind: type[Enum]) -> None:
        super().__init__()
        self.kind = kind
        self._members: dict[str, Enum] = {str(item.value): item for item in kind}

    def process_bind_param(self, value: Enum | None, dialect: Dialect) -> str | None:
        """Refuses what is none of it."""
        return None if value is None else str(self.kind(value).value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Enum | None:
        """The member."""
        return None if value is None else self._members[value]


class Texts(TypeDecorator[tuple[Any, ...]]):
    """A tuple of texts, or of tuples of them, as JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[Any, ...] | None, dialect: Dialect) -> str | None:
        """Compact, so that one text is found in it by its own JSON."""
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[Any, ...] | None:
        """Tuples again."""
        return None if value is None else _as_tuples(json.loads(value))


class Persistence(TypeDecorator[PoolPersistence]):
    """Session persistence as JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: PoolPersistence | None, dialect: Dialect) -> str | None:
        """An object of its fields."""
        if value is None:
            return None
        fields = [value.type.value, value.cookie_name, value.persistence_timeout]
        return json.dumps(fields, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> PoolPersistence | None:
        """The record again."""
        if value is None:
            return None
        kind, name, timeout = json.loads(value)
        return PoolPersistence(
            type=PersistenceKind(kind), cookie_name=name, persistence_timeout=timeout
        )


class Loops(TypeDecorator[tuple[LoopState, ...]]):
    """How the loops of a controller do, as JSON. Unknown fields, of another release, are passed over."""

    impl = Text
    cache_ok = True

    def process_bind_param(
        self, value: tuple[LoopState, ...] | None, dialect: Dialect
    ) -> str | None:
        """A list of objects; times as ISO texts."""
        if value is None:
            return None
        return json.dumps([asdict(loop) for loop in value], default=datetime.isoformat)

    def process_result_value(
        self, value: str | None, dialect: Dialect
    ) -> tuple[LoopState, ...] | None:
        """The records again."""
        return None if value is None else tuple(map(_read_loop, json.loads(value)))


def _read_loop(given: dict[str, Any]) -> LoopState:
    known = {name: given[name] for name in _LOOP_FIELDS if name in given}
    times = {
        name: datetime.fromisoformat(known[name])
        for name in ("beat", "failed_at")
        if known.get(name) is not None
    }
    return LoopState(**{**known, "stores": tuple(known.get("stores", ())), **times})


def _as_tuples(value: list[Any]) -> tuple[Any, ...]:
    return tuple(_as_tuples(item) if isinstance(item, list) else item for item in value)
