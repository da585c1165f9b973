"""Turns what the models refuse into sentences for the person who wrote the file."""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from libra.config.settings import Settings
from libra.config.words import is_list, item_requirement, requirement, section_of, walk
from libra.messages.fields import quoted

Location = tuple[int | str, ...]
_SECRET_NAME = re.compile(r"pass(word|wd|phrase)|secret|token|credential", re.IGNORECASE)
# A PEM block, a URL with a password, or a long run of mixed characters as tokens and keys are.
_SECRET_VALUE = re.compile(
    r"-----BEGIN|AUTH_tk|://[^/\s]*:[^/\s]*@|(?=[A-Za-z+=_-]*[0-9])[A-Za-z0-9+=_-]{32,}"
)


def describe_all(
    errors: Iterable[Mapping[str, Any]], source: str, origins: Mapping[tuple[str, ...], str]
) -> list[str]:
    """Pydantic's errors as lines: "FILE: worker.drain_seconds: must be ..., got ..."."""
    return [_describe(error, source, origins) for error in errors if not _is_consequence(error)]


def _is_consequence(error: Mapping[str, Any]) -> bool:
    """A list whose items are refused counts as too short as well, which says nothing new."""
    return error["type"] == "too_short" and bool(error["input"])


def _describe(error: Mapping[str, Any], source: str, origins: Mapping[tuple[str, ...], str]) -> str:
    """What a variable set is told with the variable's name."""
    location: Location = error["loc"]
    for length in range(len(location), 0, -1):
        variable = origins.get(tuple(str(part) for part in location[:length]))
        if variable is not None:
            return _join(variable, location[length:], _sentence(error))
    return _join(source, location, _sentence(error))


def _join(source: str, location: Location, sentence: str) -> str:
    return ": ".join(part for part in (source, _path(location), sentence) if part)


def _path(location: Location) -> str:
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            name = part if re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", part) else quoted(part)
            path += f".{name}" if path else name
    return path


def _sentence(error: Mapping[str, Any]) -> str:
    location: Location = error["loc"]
    if error["type"] == "extra_forbidden":
        return _unknown_key(location)
    field = _find_field(location)
    if error["type"] == "value_error" and (field is None or section_of(field.annotation)):
        return str(error["ctx"]["error"])  # a rule about several settings says it in its own words
    if error["type"] in ("too_short", "too_long"):
        return _wrong_count(error)
    if field is None:
        return "is refused"
    is_item = is_list(field) and isinstance(location[-1], int)
    words = item_requirement(field) if is_item else requirement(field)
    return f"must be {words}, got {_shown(location, error['input'])}"


def _find_field(location: Location) -> FieldInfo | None:
    """The setting at a place; for an item of a list, the list."""
    section: type[BaseModel] | None = Settings
    field = None
    for part in location:
        if isinstance(part, str):
            field = section.model_fields.get(part) if section else None
            section = section_of(field.annotation) if field else None
    return field


def _wrong_count(error: Mapping[str, Any]) -> str:
    if error["type"] == "too_short":
        return f"must have at least {error['ctx']['min_length']} item, got none"
    return f"must have at most {error['ctx']['max_length']} items"


def _unknown_key(location: Location) -> str:
    *above, name = location
    field = _find_field(tuple(above))
    section = section_of(field.annotation) if field else Settings
    known = list(section.model_fields) if section else []
    close = difflib.get_close_matches(str(name).lower(), known, n=1)
    if close:
        return f"no such setting; did you mean '{close[0]}'?"
    homes = [".".join(path[:-1]) for path, _ in walk(Settings) if path[-1] == name and path[:-1]]
    if homes:
        return f"no such setting here; it belongs to {' or '.join(homes)}"
    return f"no such setting; known here are {', '.join(known)}"


def _shown(location: Location, value: object) -> str:
    """The value, unless it looks like a secret: faults end up in logs and on screens."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    named = any(isinstance(part, str) and _SECRET_NAME.search(part) for part in location)
    if isinstance(value, str) and (named or _SECRET_VALUE.search(value)):
        return "a value that is not shown here"
    return quoted(value)
