"""Reads the pools of a load balancer in a 2.0 UPDATE into the model."""

import re
from dataclasses import replace
from datetime import timedelta

from libra.errors import Invalid
from libra.messages.addresses import is_host_name
from libra.messages.fields import Fields, quoted
from libra.messages.members import POOL_KEY, ParseMembers
from libra.messages.pools import (
    MAX_MONITOR_SECONDS,
    parse_codes,
    parse_cookie_name,
    parse_path,
)
from libra.messages.version2.tls import parse_member_tls
from libra.model.pool import (
    BY_COOKIE,
    Algorithm,
    HealthMonitor,
    MonitorType,
    PersistenceType,
    Pool,
    PoolProtocol,
    SessionPersistence,
)

MAX_POOLS = 500
MAX_MINUTES = 7 * 24 * 60
METHODS = ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252})(:[0-9]{1,5})?")


def parse_pools(fields: Fields, members: ParseMembers) -> dict[str, Pool]:
    """By id."""
    if not fields.has("pools"):
        return {}
    if fields.count("pools") > MAX_POOLS:
        raise fields.fault("pools", f"a list of at most {MAX_POOLS} pools")
    pools: dict[str, Pool] = {}
    for item in fields.objects("pools"):
        pool = _parse_pool(item, members)
        if pool.id in pools:
            raise Invalid(
                f"cannot read {item.where('id')}: two pools have the id {quoted(pool.id)}"
            )
        pools[pool.id] = pool
    return pools


def _parse_pool(fields: Fields, members: ParseMembers) -> Pool:
    identity = fields.identifier()
    if identity is None:
        raise Invalid(f"cannot read {fields.where('id')}: it is required")
    protocol = fields.choice("protocol", PoolProtocol)
    has_nodes = fields.has("nodes") and fields.count("nodes") > 0
    pool = Pool(
        id=identity,
        name=fields.optional_text("name"),
        enabled=fields.flag("enabled", default=True),
        protocol=protocol,
        members=members(fields, POOL_KEY + identity) if has_nodes else (),
        algorithm=fields.choice("algorithm", Algorithm, default=Algorithm.ROUND_ROBIN),
        monitor=_parse_monitor(fields.nested("monitor")) if fields.has("monitor") else None,
        persistence=_parse_persistence(fields, protocol),
        tls=parse_member_tls(fields) if fields.has("tls") else None,
    )
    _ensure_can_ping(pool, fields)
    return pool


def _ensure_can_ping(pool: Pool, fields: Fields) -> None:
    """The proxy resolves the names of members, and no others."""
    if pool.monitor is None or pool.monitor.type is not MonitorType.PING:
        return
    for place, member in enumerate(pool.members):
        if member.monitor_address is not None and is_host_name(member.monitor_address):
            where = f"{fields.where('nodes')}[{place}].monitor_address"
            raise Invalid(
                f"cannot read {where}: it must be an IP address where the monitor is PING,"
                f" got {quoted(member.monitor_address)}"
            )


def _parse_monitor(fields: Fields) -> HealthMonitor:
    kind = _parse_kind(fields)
    delay = fields.integer("delay", least=1, most=MAX_MONITOR_SECONDS)
    monitor = HealthMonitor(
        type=kind,
        delay=timedelta(seconds=delay),
        timeout=timedelta(seconds=fields.integer("timeout", least=1, most=MAX_MONITOR_SECONDS)),
        attempts=fields.integer("attempts", least=1, most=100),
        attempts_down=fields.optional_integer("attempts_down", least=1, most=100),
    )
    return _with_request(monitor, fields) if monitor.is_http else monitor


def _parse_kind(fields: Fields) -> MonitorType:
    """TCP is the field's word for what 1.0 calls CONNECT."""
    raw = fields.raw("type")
    if isinstance(raw, str) and raw.upper() == "TCP":
        return MonitorType.CONNECT
    return fields.choice("type", MonitorType)


def _with_request(monitor: HealthMonitor, fields: Fields) -> HealthMonitor:
    codes = parse_codes(fields) if fields.has("expected_codes") else ((200, 200),)
    host = _parse_host(fields)
    version = fields.exact_text("http_version") if fields.has("http_version") else None
    if version not in (None, "1.0", "1.1"):
        raise fields.fault("http_version", "1.0 or 1.1")
    if host is not None and version == "1.0":
        raise fields.fault("domain_name", "left out, for HTTP/1.0 has no Host")
    return replace(
        monitor,
        path=parse_path(fields),
        expected_codes=codes,
        method=_parse_method(fields),
        http_version=version,
        host=host,
    )


def _parse_method(fields: Fields) -> str:
    if not fields.has("method"):
        return "GET"
    method = fields.text("method").upper()
    if method not in METHODS:
        raise fields.fault("method", f"one of {', '.join(METHODS)}")
    return method


def _parse_host(fields: Fields) -> str | None:
    if not fields.has("domain_name"):
        return None
    host = fields.exact_text("domain_name")
    if not _HOST.fullmatch(host):
        raise fields.fault("domain_name", "a host name")
    return host


def _parse_persistence(fields: Fields, protocol: PoolProtocol) -> SessionPersistence | None:
    given = fields.optional_nested("session_persistence")
    if given is None:
        return None
    kind = given.choice("type", PersistenceType)
    if kind in BY_COOKIE and protocol in (PoolProtocol.TCP, PoolProtocol.HTTPS):
        raise given.fault("type", f"SOURCE_IP, for {protocol.value} has no cookies")
    minutes = given.optional_integer("timeout_minutes", least=1, most=MAX_MINUTES)
    name = parse_cookie_name(given) if kind in BY_COOKIE else None
    if kind is PersistenceType.APP_COOKIE and name is None:
        raise Invalid(f"cannot read {given.where('cookie_name')}: it is required for APP_COOKIE")
    return SessionPersistence(
        type=kind,
        cookie_name=name,
        timeout=None if minutes is None else timedelta(minutes=minutes),
    )
