"""What a worker tells the controllers about itself, unasked: it is there, and this is what it is.

A JSON object in a background job of the controllers' function. Whoever reaches a job server can write one, so it is
believed as little as possible: it makes a device known, and no more. Fields: `libra_announcement` (the version, "1.0"),
`name` (the worker's function), `address`, `pool` (a device pool's name), `release`, `proxy`, `digest` (what it runs,
null for nothing), `started` (by the worker's clock, in seconds since 1970), `uptime` (seconds, for people).
"""

import re
from dataclasses import dataclass

from libra.errors import Invalid
from libra.messages.addresses import parse_ip_address
from libra.messages.codec import JsonObject, decode, encode
from libra.messages.fields import quoted

KIND = "libra_announcement"
VERSION = "1.0"
MOST_BYTES = 10_000
LONGEST_TEXT = 128
LATEST = 1e11  # the year 5138
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """`address` is an IP address, a host name or "". `started` is in seconds since 1970, `uptime` in seconds."""

    name: str
    address: str = ""
    pool: str = "default"
    release: str = ""
    proxy: str = ""
    digest: str = ""
    started: float = 0.0
    uptime: float = 0.0


def build_announcement(told: Announcement) -> bytes:
    """What `parse_announcement` reads."""
    message: JsonObject = {
        KIND: VERSION,
        "name": told.name,
        "address": told.address,
        "pool": told.pool,
        "release": told.release,
        "proxy": told.proxy,
        "digest": told.digest or None,
        "started": round(told.started, 3),
        "uptime": round(told.uptime, 3),
    }
    return encode(message)


def parse_announcement(payload: bytes) -> Announcement:
    """Raises `Invalid`."""
    if len(payload) > MOST_BYTES:
        raise Invalid(f"cannot read an announcement of {len(payload)} bytes")
    message = decode(payload)
    if message.get(KIND) != VERSION:
        raise Invalid("cannot read an announcement: it is none of version 1.0")
    name = message.get("name")
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise Invalid(f"cannot read an announcement: no worker is called {quoted(str(name))}")
    pool = message.get("pool", "default")
    if not isinstance(pool, str) or _NAME.fullmatch(pool) is None:
        raise Invalid(f"cannot read the announcement of {name}: no pool is called so")
    return Announcement(
        name=name,
        address=_parse_address(name, message.get("address", "")),
        pool=pool,
        release=_parse_text(name, message, "release"),
        proxy=_parse_text(name, message, "proxy"),
        digest=_parse_text(name, message, "digest"),
        started=_parse_seconds(name, message, "started"),
        uptime=_parse_seconds(name, message, "uptime"),
    )


def _parse_address(name: str, value: object) -> str:
    if isinstance(value, str):
        address = parse_ip_address(value)
        if address is not None:
            return address
        if value == "" or _HOST.fullmatch(value) is not None:
            return value
    raise Invalid(f"cannot read the announcement of {name}: its address is none")


def _parse_text(name: str, message: JsonObject, field: str) -> str:
    value = message.get(field)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or not value.isprintable():
        raise Invalid(f"cannot read the announcement of {name}: its {field} is no short text")
    return value


def _parse_seconds(name: str, message: JsonObject, field: str) -> float:
    value = message.get(field, 0)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LATEST:
        return float(value)
    raise Invalid(f"cannot read the announcement of {name}: its {field} is no number of seconds")
