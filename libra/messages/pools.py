"""Reads the pool of a load balancer in an UPDATE message: nodes, monitor, session persistence."""

import re
from dataclasses import replace
from datetime import timedelta

from libra.messages.fields import Fields, quoted
from libra.messages.members import ParseMembers, parse_members
from libra.model.listener import Protocol
from libra.model.pool import (
    Algorithm,
    HealthMonitor,
    MonitorType,
    PersistenceType,
    Pool,
    SessionPersistence,
)

MONITORS = (MonitorType.CONNECT, MonitorType.HTTP)
ALGORITHMS = (Algorithm.ROUND_ROBIN, Algorithm.LEAST_CONNECTIONS, Algorithm.SOURCE_IP)
PERSISTENCES = (PersistenceType.HTTP_COOKIE, PersistenceType.SOURCE_IP)
MAX_MONITOR_SECONDS = 3600
MAX_CODES = 100
# What RFC 3986 lets stand in a path and a query, without the single quote.
_PATH = re.compile(r"/[A-Za-z0-9._~!$&()*+,;=:@%/?-]*")
_COOKIE_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CODES = re.compile(r" *([1-5][0-9]{2})(?:-([1-5][0-9]{2}))? *")


def parse_pool(
    fields: Fields, protocol: Protocol, identity: str, members: ParseMembers = parse_members
) -> Pool:
    """The pool that a load balancer's own fields describe."""
    return Pool(
        id=identity,
        members=members(fields, protocol.value),
        algorithm=fields.choice(
            "algorithm", Algorithm, default=Algorithm.ROUND_ROBIN, among=ALGORITHMS
        ),
        monitor=_parse_monitor(fields.nested("monitor")) if fields.has("monitor") else None,
        persistence=_parse_persistence(fields, protocol),
    )


def _parse_monitor(fields: Fields) -> HealthMonitor:
    """The path and the codes of an HTTP check are extraneous, and so ignored, where only the connection is checked."""
    kind = fields.choice("type", MonitorType, among=MONITORS)
    delay = fields.integer("delay", least=1, most=MAX_MONITOR_SECONDS, default=30)
    timeout = fields.integer("timeout", least=1, most=MAX_MONITOR_SECONDS, default=min(delay, 10))
    attempts = fields.integer("attempts", least=1, most=100, default=2)
    monitor = HealthMonitor(
        type=kind,
        delay=timedelta(seconds=delay),
        timeout=timedelta(seconds=timeout),
        attempts=attempts,
    )
    if kind is not MonitorType.HTTP:
        return monitor
    codes = parse_codes(fields) if fields.has("expected_codes") else monitor.expected_codes
    return replace(monitor, path=parse_path(fields), expected_codes=codes)


def parse_path(fields: Fields) -> str:
    """The field `path`: what stands in a request line."""
    if not fields.has("path"):
        return "/"
    path = fields.exact_text("path", longest=1024)
    if not _PATH.fullmatch(path):
        raise fields.fault(
            "path", "a path that starts with / and holds only what may stand in a URL"
        )
    return path


def parse_codes(fields: Fields) -> tuple[tuple[int, int], ...]:
    """200, "200", "200,302", "200-204", or a list of these, as sorted ranges that do not touch."""
    raw = fields.raw("expected_codes")
    parts = raw if isinstance(raw, list) else [raw]
    texts = [text for part in parts[: MAX_CODES + 1] for text in _split(part)]
    if not 1 <= len(texts) <= MAX_CODES:
        raise fields.fault("expected_codes", f"1 to {MAX_CODES} status codes")
    ranges = [_parse_range(text) for text in texts]
    if None in ranges:
        raise fields.fault("expected_codes", "status codes like 200, 200-204 or 200,302")
    return _merge([item for item in ranges if item is not None])


def _split(part: object) -> list[str]:
    """An empty text, which is no code, for what is neither a text nor a whole number."""
    if isinstance(part, float) and part.is_integer():
        part = int(part)
    if isinstance(part, int) and not isinstance(part, bool):
        return [quoted(part)]
    return part.split(",", MAX_CODES) if isinstance(part, str) else [""]


def _parse_range(text: str) -> tuple[int, int] | None:
    match = _CODES.fullmatch(text)
    if match is None:
        return None
    first, last = int(match[1]), int(match[2] or match[1])
    return (first, last) if first <= last else None


def _merge(ranges: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def _parse_persistence(fields: Fields, protocol: Protocol) -> SessionPersistence | None:
    """Its type alone as a text ("SOURCE_IP"), or an object with `type` and `cookie_name`."""
    if not fields.has("session_persistence"):
        return None
    raw = fields.raw("session_persistence")
    where = fields.where("session_persistence")
    persistence = Fields({"type": raw} if isinstance(raw, str) else raw, where)
    kind = persistence.choice("type", PersistenceType, among=PERSISTENCES)
    if kind is PersistenceType.SOURCE_IP:
        return SessionPersistence(type=kind)
    if protocol is not Protocol.HTTP:
        raise persistence.fault("type", f"SOURCE_IP, for {protocol.value} has no cookies")
    return SessionPersistence(type=kind, cookie_name=parse_cookie_name(persistence))


def parse_cookie_name(fields: Fields) -> str | None:
    """None where it is missing."""
    if not fields.has("cookie_name"):
        return None
    name = fields.exact_text("cookie_name")
    if not _COOKIE_NAME.fullmatch(name):
        raise fields.fault(
            "cookie_name", "a cookie name of 1 to 64 letters, digits, '.', '_' and '-'"
        )
    return name
