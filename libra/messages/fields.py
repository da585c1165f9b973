"""Reads untrusted JSON objects field by field: names in any case, every fault with its path.

Error texts quote what came in with `quoted`, so nothing that a sender wrote reaches a log or a reply raw or at
full length.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import TypeVar

from libra.errors import Invalid

MAX_TEXT = 255  # characters of any free text
LARGEST_INTEGER = 10**18
_HOST_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")

E = TypeVar("E", bound=Enum)


def quoted(value: object) -> str:
    """The value for an error text: printable ASCII, 60 characters at most."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and abs(value) >= LARGEST_INTEGER:
        return "a very large number"  # Python refuses to print one of thousands of digits
    text = ascii(value[:60] + "..." if isinstance(value, str) and len(value) > 60 else value)
    return text if len(text) <= 160 else text[:160] + "..."


def has_control_characters(text: str) -> bool:
    """True for anything that could end a line or hide in one: C0, DEL, C1, line separators, surrogates."""
    return any(
        c < " " or "\x7f" <= c <= "\x9f" or c in "\u2028\u2029" or "\ud800" <= c <= "\udfff"
        for c in text
    )


class Fields:
    """A JSON object whose names may come in any case.

    `path` says where it stands in the message ("loadbalancers[0].nodes[3]", empty at the top). Every reader
    raises `Invalid` with that path; readers without `default` require the field. A JSON null counts as absent.
    """

    def __init__(self, value: object, path: str = "") -> None:
        if not isinstance(value, Mapping):
            raise Invalid(
                f"cannot read {path or 'the message'}: must be a JSON object, got {_kind(value)}"
            )
        self._path = path
        self._values: dict[str, object] = {}
        for name, item in value.items():
            folded = str(name).lower()
            if folded in self._values and self._values[folded] != item:
                raise Invalid(
                    f"cannot read {self.where(folded)}: it is given twice with different values"
                )
            self._values[folded] = item

    def where(self, name: str) -> str:
        """The full path of a field, for error texts."""
        return f"{self._path}.{name}" if self._path else name

    def has(self, name: str) -> bool:
        """True where the field is there and not null."""
        return self._values.get(name) is not None

    def raw(self, name: str) -> object:
        """The field as it came; raises `Invalid` where it is missing."""
        value = self._values.get(name)
        if value is None:
            raise Invalid(f"cannot read {self.where(name)}: it is required")
        return value

    def fault(self, name: str, must: str) -> Invalid:
        """The error for a field that is there but wrong."""
        return Invalid(
            f"cannot read {self.where(name)}: must be {must}, got {quoted(self._values.get(name))}"
        )

    def text(self, name: str, *, longest: int = MAX_TEXT) -> str:
        """A string without control characters; numbers are taken as their digits. Surrounding space is cut."""
        value = self.raw(name)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value) if abs(value) < LARGEST_INTEGER else None
        if not isinstance(value, str):
            raise self.fault(name, "a text")
        if len(value) > longest:
            raise self.fault(name, f"at most {longest} characters long")
        if has_control_characters(value):
            raise self.fault(name, "free of control characters")
        if not value.strip():
            raise self.fault(name, "not empty")
        return value.strip()

    def optional_text(self, name: str, *, longest: int = MAX_TEXT) -> str | None:
        """As `text`; None where the field is missing or an empty string."""
        return None if self._values.get(name) in (None, "") else self.text(name, longest=longest)

    def integer(self, name: str, *, least: int, most: int, default: int | None = None) -> int:
        """A whole number, also written as a string ("80")."""
        if default is not None and not self.has(name):
            return default
        value = self.raw(name)
        must = f"a whole number from {least} to {most}"
        if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.fault(name, must)
        return value

    def optional_integer(self, name: str, *, least: int, most: int) -> int | None:
        """As `integer`; None where the field is missing."""
        return self.integer(name, least=least, most=most) if self.has(name) else None

    def flag(self, name: str, *, default: bool) -> bool:
        """A boolean, also written as a string or as 0 and 1."""
        if not self.has(name):
            return default
        value = self.raw(name)
        word = (
            str(int(value))
            if value in (0, 1)
            else value.strip().lower()
            if isinstance(value, str)
            else ""
        )
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        raise self.fault(name, "true or false")

    def choice(self, name: str, kind: type[E], *, default: E | None = None) -> E:
        """One word of a closed set, in any case."""
        if default is not None and not self.has(name):
            return default
        value = self.raw(name)
        if isinstance(value, str):
            word = value.strip().upper()
            for member in kind:
                if member.value == word:
                    return member
        words = ", ".join(str(member.value) for member in kind)
        raise self.fault(name, f"one of {words}")

    def object(self, name: str) -> "Fields":
        """A nested object."""
        return Fields(self.raw(name), self.where(name))

    def optional_object(self, name: str) -> "Fields | None":
        """A nested object; None where the field is missing."""
        return self.object(name) if self.has(name) else None

    def objects(self, name: str) -> "Iterator[Fields]":
        """The objects of a list, one by one."""
        value = self.raw(name)
        if not isinstance(value, list):
            raise self.fault(name, "a list")
        return (Fields(item, f"{self.where(name)}[{index}]") for index, item in enumerate(value))

    def address(self, name: str, *, host_names: bool = True) -> str:
        """An IPv4 or IPv6 address in its canonical form, or a host name in lower case."""
        text = self.text(name)
        literal = text[1:-1] if text.startswith("[") and text.endswith("]") else text
        parsed = parse_ip_address(literal)
        if parsed is not None:
            return parsed
        if host_names and is_host_name(text):
            return text.lower().removesuffix(".")
        raise self.fault(
            name, "an IPv4 or IPv6 address" + (" or a host name" if host_names else "")
        )


def parse_ip_address(text: str) -> str | None:
    """The canonical form of an IP address without a zone; None where it is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        return None
    return str(address)


def is_host_name(text: str) -> bool:
    """RFC 1123 labels (underscores too, as resolvers take them); never all digits, which is a mistyped address."""
    name = text.lower().removesuffix(".")
    labels = name.split(".")
    return (
        len(name) <= 253
        and all(_HOST_LABEL.fullmatch(label) for label in labels)
        and not labels[-1].isdigit()
    )


def _kind(value: object) -> str:
    if value is None:
        return "null"
    return {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
    }.get(type(value), type(value).__name__)
