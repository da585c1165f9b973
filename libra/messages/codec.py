"""Bytes of a job to a decoded message and back.

What `decode` takes, `encode` can write again: finite numbers only, names unique in their object, nesting far
below what Python's recursion bears.
"""

import json
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

from libra.errors import Invalid
from libra.messages.fields import quoted

MAX_MESSAGE_BYTES = 16 * 1024 * 1024  # 20,000 nodes with every field and the longest names fit
MAX_DEPTH = 100
JsonObject = dict[str, object]


class _Refused(ValueError):
    """JSON, but with something in it that has no place in a message."""


def decode(data: bytes) -> JsonObject:
    """The JSON object in a job's bytes; raises `Invalid` with a sentence for everything else."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise Invalid(
            f"cannot read the message: it has {len(data)} bytes, at most {MAX_MESSAGE_BYTES} are taken"
        )
    message = _parse(as_text(data))
    if not isinstance(message, dict):
        raise Invalid("cannot read the message: it must be a JSON object")
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH and is_deeper(message, MAX_DEPTH):
        raise _too_deep()
    return message


def encode(message: JsonObject) -> bytes:
    """ASCII-only JSON, so that it is valid UTF-8 whatever came in; raises `Invalid` where it is no JSON."""
    try:
        return json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii")
    except Exception as error:  # whatever an object that is no JSON does when it is looked at
        raise Invalid("cannot write the message as JSON") from error


def is_deeper(value: object, depth: int) -> bool:
    """True where containers are nested more than `depth` deep. Ends for circular and for shared ones, too."""
    level: list[Any] = [value]
    for _ in range(depth):
        found: list[Any] = []
        for parent in level:
            children = parent.values() if isinstance(parent, dict) else parent
            found += [child for child in children if isinstance(child, (dict, list))]
        if not found:
            return False
        level = list({id(child): child for child in found}.values())
    return True


def as_text(data: bytes) -> str:
    """The text in a job's bytes, without a byte order mark; raises `Invalid`."""
    try:
        text = data.decode("utf-8-sig")  # some editors put a byte order mark in front
    except UnicodeDecodeError as error:
        raise Invalid(f"cannot read the message: it is not UTF-8 at byte {error.start}") from None
    if not text.strip():
        raise Invalid("cannot read the message: it is empty")
    return text


def _parse(text: str) -> object:
    try:
        return _STRICT.decode(text)
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        raise Invalid(f"cannot read the message: it is not JSON ({error})") from None
    except _Refused as error:
        raise Invalid(f"cannot read the message: {error}") from None
    except ValueError:  # Python's own limit, which is there against quadratic time
        raise Invalid("cannot read the message: a number in it has too many digits") from None


def unique(pairs: list[tuple[str, object]]) -> JsonObject:
    """The pairs as an object; raises `ValueError` where a name stands twice."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        twice = next(
            name for name, count in Counter(name for name, _ in pairs).items() if count > 1
        )
        raise _Refused(f"the name {quoted(twice)} stands twice in one object")
    return fields


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _Refused("a number in it is too large")
    return number


def _refuse_constant(name: str) -> object:
    raise _Refused(f"{name} is no JSON number")


def _too_deep() -> Invalid:
    return Invalid(f"cannot read the message: it is nested more than {MAX_DEPTH} deep")


def build_strict_decoder(hook: Callable[[list[tuple[str, object]]], object]) -> json.JSONDecoder:
    """JSON without the liberties that Python takes; raises `ValueError`. `hook` makes the objects."""
    return json.JSONDecoder(
        object_pairs_hook=hook, parse_float=_finite, parse_constant=_refuse_constant
    )


_STRICT = build_strict_decoder(unique)
