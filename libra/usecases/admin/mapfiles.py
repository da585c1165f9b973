"""The operator's files of aliases and of limits: read, and checked entry by entry before anything is believed."""

import os
import stat
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

from libra.errors import Invalid
from libra.messages.codec import JsonObject, decode
from libra.messages.fields import MAX_TEXT, has_control_characters, quoted
from libra.model.quota import UNLIMITED

MAX_BYTES = 1024 * 1024
MAX_ENTRIES = 10_000
MOST_DEVICES = 1_000_000

T = TypeVar("T")


def read_file(path: Path) -> JsonObject:
    """The JSON object in a file; raises `Invalid` with the file's name."""
    try:
        data = _read(path)
        return decode(data)
    except OSError as error:
        raise Invalid(f"cannot read {path}: {error.strerror}") from error
    except Invalid as error:
        words = str(error).removeprefix("cannot read the message: ")
        raise Invalid(f"cannot read {path}: {words}") from None


def _read(path: Path) -> bytes:
    """Of a regular file: a pipe would have its reader wait for ever."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Invalid("it is no regular file")
        with os.fdopen(handle, "rb", closefd=False) as file:
            data = file.read(MAX_BYTES + 1)
    finally:
        os.close(handle)
    if len(data) > MAX_BYTES:
        raise Invalid(f"it is larger than {MAX_BYTES} bytes")
    return data


def parse_aliases(document: JsonObject, pools: Collection[str]) -> dict[str, list[str]]:
    """{alias: names of device pools, each once}. `pools` are the names of those that there are. Raises `Invalid`."""

    def parse(alias: str, value: object) -> list[str]:
        if alias in pools:
            raise Invalid("a device pool has that name")
        if not isinstance(value, list) or not value:
            raise Invalid(f"must be a list of device pools, got {quoted(value)}")
        for name in value:
            if not isinstance(name, str) or name not in pools:
                raise Invalid(f"there is no device pool {quoted(name)}")
        return list(dict.fromkeys(value))

    return _parse_entries(document, parse)


def parse_limits(document: JsonObject) -> dict[str, int]:
    """{project: number of devices, -1 for no limit}. Raises `Invalid`."""
    return _parse_entries(document, _parse_limit)


def _parse_limit(_project: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Invalid(f"must be a whole number of devices, got {quoted(value)}")
    if not UNLIMITED <= value <= MOST_DEVICES:
        raise Invalid(f"must be from -1 (no limit) to {MOST_DEVICES}, got {quoted(value)}")
    return value


def _parse_entries(document: JsonObject, parse: Callable[[str, object], T]) -> dict[str, T]:
    if len(document) > MAX_ENTRIES:
        raise Invalid(f"it has {len(document)} entries, at most {MAX_ENTRIES} are taken")
    return {key: _parse_entry(key, value, parse) for key, value in document.items()}


def _parse_entry(key: str, value: object, parse: Callable[[str, object], T]) -> T:
    try:
        if not key.strip() or len(key) > MAX_TEXT or has_control_characters(key):
            raise Invalid(f"a name must have 1 to {MAX_TEXT} characters, and none that hide")
        return parse(key, value)
    except Invalid as error:
        raise Invalid(f"{quoted(key)}: {error}") from None
