"""What stands in the query or in a form, which are one: a form's value counts where both have it."""

from collections.abc import Collection, Iterable, Mapping
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request

from libra.errors import Invalid
from libra.messages.fields import quoted

FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 50
LARGEST = 1_000_000_000
ALL = "all"


class Parameters:
    """By name. Raises `Invalid` for every name that nobody asks for, so ask for all with `only` first."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given

    def only(self, *names: str) -> "Parameters":
        """Raises `Invalid` where another one is given, for a misspelled one may be the one that limits the others."""
        for name in self._given:
            if name not in names:
                known = f"it takes {_listed(names)}" if names else "it takes none"
                raise Invalid(f"cannot use the parameter {quoted(name)}: {known}")
        return self

    def text(self, name: str) -> str | None:
        """None where it is not given."""
        return self._given.get(name)

    def word(self, name: str, words: Collection[str], default: str | None = None) -> str:
        """One of these; raises `Invalid` for another one, and without any where there is no default."""
        value = self._given.get(name)
        if value is None and default is not None:
            return default
        if value is None:
            raise Invalid(f"cannot tell what is wanted: {name} must be {_listed(words)}")
        if value not in words:
            raise Invalid(f"cannot use {name}={quoted(value)}: it must be {_listed(words)}")
        return value

    def number(self, name: str, *, least: int = 0) -> int:
        """A whole one, in ASCII digits; raises `Invalid` without one."""
        value = self._given.get(name)
        if value is None:
            raise Invalid(f"cannot tell what is wanted: {name} must be a whole number")
        return _parse_number(name, value, least, "a whole number")

    def count(self, name: str = "count") -> int | None:
        """How many, at least 1; None for all of them, which is what nothing means, too."""
        value = self._given.get(name, ALL)
        return None if value == ALL else _parse_number(name, value, 1, "all or a number")

    def __contains__(self, name: object) -> bool:
        return name in self._given


def _parse_number(name: str, value: str, least: int, wanted: str) -> int:
    is_plain = value.isascii() and value.isdigit() and len(value) < 20
    if not is_plain or not least <= int(value) <= LARGEST:
        bounds = f"from {least} to {LARGEST}"
        raise Invalid(f"cannot use {name}={quoted(value)}: it must be {wanted} {bounds}")
    return int(value)


def _listed(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def parse_parameters(query: str, form: str) -> Parameters:
    """Raises `Invalid` for what cannot be read, and for a name that one of them has twice, with two values."""
    return Parameters({**_parse(query, "query"), **_parse(form, "form")})


def _parse(text: str, where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        pairs = parse_qsl(text, True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        wanted = f"a form of at most {MOST_FIELDS} values"
        raise Invalid(f"cannot read the {where}: it must be {wanted}") from None
    for name, value in pairs:
        if "\0" in name + value:
            raise Invalid(f"cannot read the {where}: a NUL is in it")
        if found.setdefault(name, value) != value:
            raise Invalid(f"cannot use the parameter {quoted(name)}: it has two values")
    return found


async def parameters_of(request: Request) -> Parameters:
    """Of the request, whose body must be a form or empty."""
    body = await request.body()
    kind = request.headers.get("content-type", FORM).partition(";")[0].strip().lower()
    if body and kind != FORM:
        raise Invalid(f"cannot read the body: it must be {FORM}, not {quoted(kind)}")
    try:
        return parse_parameters(request.scope["query_string"].decode("ascii"), body.decode("ascii"))
    except UnicodeDecodeError:
        raise Invalid(
            "cannot read the parameters: a form is ASCII, other letters encoded"
        ) from None


Asked = Annotated[Parameters, Depends(parameters_of)]
