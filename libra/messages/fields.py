"""Reads untrusted JSON objects field by field: names in any case, every fault with its path.

Error texts quote what came in with `quoted`, so nothing that a sender wrote reaches a log or a reply raw or at
full length.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from enum import Enum
from functools import cache
from typing import TypeVar

from libra.errors import Invalid
from libra.messages.addresses import is_group, is_wildcard, parse_host_name, parse_ip_address

MAX_TEXT = 255  # characters of any free text
MAX_ID = 128
LARGEST_INTEGER = 10**18
_SHOWN_CHARACTERS = 60
SECRET_MARK = "PRIVATE KEY"  # noqa: S105 - what stands above each in PEM
_LONGEST_NAME = 64  # no field of the protocol has a longer one
# As JSON writes a whole number, and in ASCII: int() would take " 80", "8_0" and other scripts' digits as well.
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
# C0, DEL, C1, line and paragraph separators, bidirectional overrides, lone surrogates.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_FLAGS = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(
    ("false", "no", "off", "0"), False
)
_KINDS = {dict: "an object", list: "a list", str: "a text", int: "a number", float: "a number"}

E = TypeVar("E", bound=Enum)


def quoted(value: object) -> str:
    """The value for an error text: printable ASCII, never longer than a line or two."""
    if isinstance(value, str):
        if SECRET_MARK in value:
            return "a text with a private key"
        shown = ascii(value[:_SHOWN_CHARACTERS])
        return shown if len(value) <= _SHOWN_CHARACTERS else f"{shown}... ({len(value)} characters)"
    if isinstance(value, int) and not isinstance(value, bool):
        # Python refuses to print one of thousands of digits
        return str(value) if abs(value) < LARGEST_INTEGER else "a very large number"
    if isinstance(value, float):
        return float.__repr__(value)
    return _kind(value)


def fold(name: str) -> str:
    """Lower case of the 26 letters only: other scripts' look-alikes (Kelvin sign, dotless i) stay what they are."""
    return name.lower() if name.isascii() else name


def has_control_characters(text: str) -> bool:
    """True for anything that could end a line or hide in one."""
    return _CONTROL.search(text) is not None


class Fields:
    """A JSON object whose names may come in any case.

    `path` says where it stands in the message ("loadbalancers[0].nodes[3]", empty at the top). Every reader
    raises `Invalid` with that path; readers without `default` require the field. A JSON null counts as absent.
    A field that is read must not be given twice in different spellings; one that nobody reads may be anything.
    """

    __slots__ = ("_path", "_twice", "_values")

    def __init__(self, value: object, path: str = "") -> None:
        if not isinstance(value, dict):
            raise Invalid(
                f"cannot read {path or 'the message'}: it must be a JSON object, got {_kind(value)}"
            )
        self._path = path
        self._values: dict[str, object] = {
            fold(name): item
            for name, item in value.items()
            if isinstance(name, str) and len(name) <= _LONGEST_NAME
        }
        self._twice = _given_twice(value) if len(self._values) != len(value) else ()

    def where(self, name: str) -> str:
        """The full path of a field, for error texts."""
        return f"{self._path}.{name}" if self._path else name

    def has(self, name: str) -> bool:
        """True where the field is there and not null."""
        return self._get(name) is not None

    def raw(self, name: str) -> object:
        """The field as it came; raises `Invalid` where it is missing."""
        value = self._get(name)
        if value is None:
            raise Invalid(f"cannot read {self.where(name)}: it is required")
        return value

    def _get(self, name: str) -> object:
        if self._twice and name in self._twice:
            raise Invalid(
                f"cannot read {self.where(name)}: it is given twice, in different spellings"
            )
        return self._values.get(name)

    def unread(self, known: Iterable[str]) -> frozenset[str]:
        """The names that are none of these, folded."""
        return frozenset(self._values) - {fold(name) for name in known}

    def fault(self, name: str, must: str) -> Invalid:
        """The error for a field that is there but wrong."""
        got = quoted(self._values.get(name))
        return Invalid(f"cannot read {self.where(name)}: it must be {must}, got {got}")

    def exact_text(self, name: str, *, longest: int = MAX_TEXT) -> str:
        """A string without control characters, as it came; whole numbers are taken as their digits."""
        value = self.raw(name)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value) if abs(value) < LARGEST_INTEGER else None
        if not isinstance(value, str):
            raise self.fault(name, "a text")
        if len(value) > longest:
            raise self.fault(name, f"at most {longest} characters long")
        if _CONTROL.search(value):
            raise self.fault(name, "free of control characters")
        return value

    def text(self, name: str, *, longest: int = MAX_TEXT) -> str:
        """As `exact_text`, not empty; surrounding space is cut."""
        value = self.exact_text(name, longest=longest).strip()
        if not value:
            raise self.fault(name, "a text that is not empty")
        return value

    def optional_text(self, name: str, *, longest: int = MAX_TEXT) -> str | None:
        """As `text`; None where the field is missing or an empty string."""
        return None if self._get(name) in (None, "") else self.text(name, longest=longest)

    def identifier(self, name: str = "id") -> str | None:
        """A sender's own id ("15", also as a number); None where it is missing or an empty string."""
        return self.optional_text(name, longest=MAX_ID)

    def integer(self, name: str, *, least: int, most: int, default: int | None = None) -> int:
        """A whole number, also written as a string ("80") or with a zero fraction (80.0)."""
        value = self._get(name)
        if value is None and default is not None:
            return default
        number = _whole_number(value)
        if number is not None and least <= number <= most:
            return number
        self.raw(name)
        raise self.fault(name, f"a whole number from {least} to {most}")

    def optional_integer(self, name: str, *, least: int, most: int) -> int | None:
        """As `integer`; None where the field is missing."""
        return self.integer(name, least=least, most=most) if self.has(name) else None

    def flag(self, name: str, *, default: bool) -> bool:
        """A boolean, also written as a string or as 0 and 1."""
        value = self._get(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        word = str(value) if value in (0, 1) else value
        answer = _FLAGS.get(fold(word)) if isinstance(word, str) else None
        if answer is None:
            raise self.fault(name, "true or false")
        return answer

    def choice(
        self,
        name: str,
        kind: type[E],
        *,
        default: E | None = None,
        among: Collection[E] | None = None,
    ) -> E:
        """One word of a closed set, in any case; `among` narrows it."""
        value = self._get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, str) and value.isascii():
            found = _words_of(kind).get(value.upper())
            if isinstance(found, kind) and (among is None or found in among):
                return found
        self.raw(name)
        words = ", ".join(str(member.value) for member in among or kind)
        raise self.fault(name, f"one of {words}")

    def nested(self, name: str) -> "Fields":
        """A nested object."""
        return Fields(self.raw(name), self.where(name))

    def optional_nested(self, name: str) -> "Fields | None":
        """A nested object; None where the field is missing."""
        return self.nested(name) if self.has(name) else None

    def count(self, name: str) -> int:
        """How many items a list holds."""
        return len(self.items(name))

    def objects(self, name: str) -> "Iterator[Fields]":
        """The objects of a list, one by one."""
        where = self.where(name)
        return (Fields(item, f"{where}[{index}]") for index, item in enumerate(self.items(name)))

    def items(self, name: str) -> list[object]:
        """A list, its items as they came."""
        value = self.raw(name)
        if not isinstance(value, list):
            raise self.fault(name, "a list")
        return value

    def address(self, name: str) -> str:
        """The address of one host: IPv4 or IPv6 in its canonical form, or a host name in lower case."""
        value = self.raw(name)
        address = _parse_literal(value) or (
            parse_host_name(value) if isinstance(value, str) else None
        )
        if address is None:
            raise self.fault(
                name, "an IPv4 or IPv6 address or a host name, without spaces, port or zone"
            )
        if is_wildcard(address) or is_group(address):
            raise self.fault(name, "the address of one host")
        return address

    def listening_address(self, name: str) -> str:
        """An IPv4 or IPv6 address to listen on, in its canonical form; "0.0.0.0" and "::" mean every one."""
        address = _parse_literal(self.raw(name))
        if address is None or is_group(address):
            raise self.fault(
                name, "an IPv4 or IPv6 address of this device, without spaces, port or zone"
            )
        return address


@cache
def _words_of(kind: type[Enum]) -> dict[str, Enum]:
    return {str(member.value).upper(): member for member in kind}


def _whole_number(value: object) -> int | None:
    if isinstance(value, int):
        return None if isinstance(value, bool) else value
    if isinstance(value, str):
        return int(value) if _INTEGER.fullmatch(value) else None
    return int(value) if isinstance(value, float) and value.is_integer() else None


def _parse_literal(value: object) -> str | None:
    """An IP address, IPv6 also in the brackets that URLs need."""
    if not isinstance(value, str):
        return None
    in_brackets = value.startswith("[") and value.endswith("]") and ":" in value
    return parse_ip_address(value[1:-1] if in_brackets else value)


def _given_twice(value: dict[object, object]) -> frozenset[str]:
    """The names that are the same once case is folded."""
    counts = Counter(fold(name) for name in value if isinstance(name, str))
    return frozenset(name for name, count in counts.items() if count > 1)


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    for kind, words in _KINDS.items():
        if isinstance(value, kind):
            return words
    return f"something of the Python type {type(value).__name__[:_SHOWN_CHARACTERS]!a}"
