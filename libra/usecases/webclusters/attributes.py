"""Reads untrusted JSON objects attribute by attribute, by exact type, and refuses attributes that nobody reads."""

from collections.abc import Mapping
from typing import Any

from libra.errors import Invalid
from libra.messages.fields import has_control_characters, quoted

MOST_CHARACTERS = 2048


class Attributes:
    """`where` says what they are of. Every reader raises `Invalid`; null counts as absent, but for `raw`."""

    def __init__(self, value: object, where: str) -> None:
        self.where = where
        if not isinstance(value, dict):
            raise Invalid(f"cannot use {where}: it must be a JSON object, got {quoted(value)}")
        self._values: Mapping[str, object] = value
        self._read: set[str] = set()

    def finish(self) -> None:
        """Raises `Invalid` for an attribute that was not read."""
        strangers = sorted(set(self._values) - self._read)
        if strangers:
            known = ", ".join(sorted(self._read)) or "none"
            raise Invalid(
                f"cannot use {self.where}: {quoted(strangers[0])} is no attribute of it; it may have: {known}"
            )

    def has(self, name: str) -> bool:
        """True where it is there and not null."""
        return self._get(name) is not None

    def given(self, name: str) -> bool:
        """True where it is there, null or not."""
        self._read.add(name)
        return name in self._values

    def raw(self, name: str) -> Any:
        """As it came; null is a value, too."""
        self._read.add(name)
        if name not in self._values:
            raise self.missing(name)
        return self._values[name]

    def _get(self, name: str) -> object:
        self._read.add(name)
        return self._values.get(name)

    def missing(self, name: str) -> Invalid:
        """The error for an attribute that must be there."""
        return Invalid(f"cannot use {self.where}: it needs {name}")

    def fault(self, name: str, must: str) -> Invalid:
        """The error for one that is wrong."""
        got = quoted(self._values.get(name))
        return Invalid(f"cannot use {self.where}: {name} must be {must}, got {got}")

    def text(self, name: str, *, longest: int = MOST_CHARACTERS) -> str:
        """Not empty, and without control characters."""
        value = self.optional_text(name, longest=longest)
        if value is None:
            raise self.missing(name)
        if not value:
            raise self.fault(name, "a text that is not empty")
        return value

    def optional_text(self, name: str, *, longest: int = MOST_CHARACTERS) -> str | None:
        """May be empty."""
        value = self._get(name)
        if value is None:
            return None
        if not isinstance(value, str) or len(value) > longest or has_control_characters(value):
            raise self.fault(name, f"a text of one line, of at most {longest} characters")
        return value

    def integer(self, name: str, *, least: int, most: int) -> int:
        """A number of JSON without fraction; `true` is none."""
        value = self.optional_integer(name, least=least, most=most)
        if value is None:
            raise self.missing(name)
        return value

    def optional_integer(self, name: str, *, least: int, most: int) -> int | None:
        """None where it is absent."""
        value = self._get(name)
        if value is None:
            return None
        if type(value) is not int or not least <= value <= most:
            raise self.fault(name, f"a whole number from {least} to {most}")
        return value

    def flag(self, name: str) -> bool | None:
        """None where it is absent."""
        value = self._get(name)
        if value is not None and not isinstance(value, bool):
            raise self.fault(name, "true or false")
        return value

    def choice(self, name: str, words: tuple[Any, ...]) -> Any:
        """One of the words, None where it is absent."""
        value = self._get(name)
        if value is None:
            return None
        if isinstance(value, bool) or value not in words:
            raise self.fault(name, f"one of {', '.join(map(str, words))}")
        return value

    def nested(self, name: str) -> "Attributes | None":
        """An object, None where it is absent."""
        value = self._get(name)
        return None if value is None else Attributes(value, f"{name} of {self.where}")

    def objects(self, name: str, *, most: int) -> "list[Attributes] | None":
        """A list of objects that is not empty; None where it is absent."""
        value = self._get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            raise self.fault(name, f"a list of 1 to {most} objects")
        return [
            Attributes(item, f"{name}[{number}] of {self.where}")
            for number, item in enumerate(value)
        ]

    def mapping(self, name: str, *, most: int) -> dict[str, object] | None:
        """An object with any names that is not empty; None where it is absent."""
        value = self._get(name)
        if value is None:
            return None
        if not isinstance(value, dict) or not 1 <= len(value) <= most:
            raise self.fault(name, f"an object with 1 to {most} names")
        return value
