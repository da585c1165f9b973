"""Reads one listener of a 2.0 UPDATE into the model."""

import ipaddress
from collections.abc import Mapping
from datetime import timedelta
from enum import Enum

from libra.errors import Invalid
from libra.messages.fields import Fields, quoted
from libra.messages.loadbalancers import MAX_CONNECTIONS, MAX_RETRIES
from libra.messages.version2.policies import parse_policies
from libra.messages.version2.services import parse_services
from libra.messages.version2.tls import parse_tls
from libra.model.listener import Listener, Protocol, Timeouts, ToldHeader
from libra.model.policy import Policy
from libra.model.pool import Pool, PoolProtocol
from libra.model.tls import StrictTransport

MAX_CIDRS = 10_000
MAX_THREADS = 64
MAX_MILLISECONDS = 24 * 24 * 3600 * 1000  # 24 days, as in Octavia; HAProxy's own end is at 2^31
MAX_AGE = 10 * 365 * 24 * 3600
FORWARDED_FOR = "X-Forwarded-For"


class ListenerProtocol(Enum):
    """The words of the message; HTTPS is passed through as it is, so that it is TCP."""

    HTTP = "HTTP"
    TCP = "TCP"
    HTTPS = "HTTPS"
    TERMINATED_HTTPS = "TERMINATED_HTTPS"

    @property
    def is_http(self) -> bool:
        """True where requests are seen."""
        return self in (ListenerProtocol.HTTP, ListenerProtocol.TERMINATED_HTTPS)


def parse_listener(fields: Fields, pools: Mapping[str, Pool]) -> Listener:
    """`pools` are those of its load balancer, by id."""
    kind = fields.choice("protocol", ListenerProtocol)
    services = parse_services(fields, pools)
    if services is not None:
        _refuse_beside_services(fields, kind)
    ends_tls = kind is ListenerProtocol.TERMINATED_HTTPS
    options = fields.optional_nested("options") or Fields({})
    headers = _parse_headers(fields, kind)
    identity = fields.identifier()
    if identity is None:
        raise Invalid(f"cannot read {fields.where('id')}: it is required")
    return Listener(
        id=identity,
        name=fields.optional_text("name"),
        enabled=fields.flag("enabled", default=True),
        protocol=Protocol.HTTP if kind.is_http else Protocol.TCP,
        bind_address=_parse_bind_address(fields),
        ip_version=_parse_ip_version(fields),
        port=fields.integer("port", least=1, most=65535),
        pool=_find_pool(fields, kind, pools),
        connection_limit=fields.optional_integer("connection_limit", least=1, most=MAX_CONNECTIONS),
        x_forwarded_for=FORWARDED_FOR in headers,
        headers=tuple(item for item in ToldHeader if item.value in headers),
        timeouts=_parse_timeouts(options),
        connect_retries=options.optional_integer("connect_retries", least=0, most=MAX_RETRIES),
        allowed_cidrs=parse_cidrs(fields),
        hsts=_parse_hsts(fields, allowed=ends_tls or services is not None),
        tls=parse_tls(fields) if ends_tls else None,
        services=services,
        policies=_parse_policies(fields, kind, pools),
        backlog=fields.optional_integer("backlog", least=1, most=65535),
        threads=fields.optional_integer("threads", least=1, most=MAX_THREADS),
        access_log=fields.flag("access_log", default=True),
        shared=fields.flag("shared", default=False),
    )


def _refuse_beside_services(fields: Fields, kind: ListenerProtocol) -> None:
    if not kind.is_http:
        raise fields.fault("services", f"left out, for {kind.value} has no paths")
    for name in ("pool", "policies"):
        if fields.has(name):
            raise fields.fault(name, "left out beside services")


def _parse_policies(
    fields: Fields, kind: ListenerProtocol, pools: Mapping[str, Pool]
) -> tuple[Policy, ...]:
    policies = parse_policies(fields, pools)
    if policies and not kind.is_http:
        raise fields.fault("policies", f"left out, for {kind.value} has no requests")
    return policies


def _parse_ip_version(fields: Fields) -> int | None:
    """Of one kind with its address."""
    version = fields.optional_integer("ip_version", least=4, most=6)
    if version is None:
        return None
    address = _parse_bind_address(fields)
    fitting = address is None or (":" in address) == (version == 6)
    if version == 5 or not fitting:
        raise fields.fault("ip_version", "4 or 6, as its address is")
    return version


def _parse_bind_address(fields: Fields) -> str | None:
    return fields.listening_address("bind_address") if fields.has("bind_address") else None


def _find_pool(fields: Fields, kind: ListenerProtocol, pools: Mapping[str, Pool]) -> Pool | None:
    identity = fields.identifier("pool")
    if identity is None:
        return None
    if identity not in pools:
        raise fields.fault("pool", "the id of a pool of the same load balancer")
    pool = pools[identity]
    if kind.is_http and pool.protocol in (PoolProtocol.TCP, PoolProtocol.HTTPS):
        raise fields.fault("pool", f"one of another protocol than {pool.protocol.value}")
    if not kind.is_http and pool.persistence and pool.persistence.by_cookie:
        raise fields.fault("pool", f"one without cookies, for {kind.value} has none")
    return pool


def _parse_headers(fields: Fields, kind: ListenerProtocol) -> frozenset[str]:
    """The names that are asked for."""
    given = fields.optional_nested("insert_headers")
    if given is None:
        return frozenset()
    known = (FORWARDED_FOR, *(item.value for item in ToldHeader))
    strangers = sorted(given.unread(known))
    if strangers:
        raise Invalid(
            f"cannot read {fields.where('insert_headers')}: {quoted(strangers[0])} is none of {', '.join(known)}"
        )
    wanted = frozenset(name for name in known if given.flag(name.lower(), default=False))
    secret = sorted(
        item.value for item in ToldHeader if item.value in wanted and item.of_certificate
    )
    if secret and kind is not ListenerProtocol.TERMINATED_HTTPS:
        raise fields.fault("insert_headers", f"without {secret[0]}, for no TLS ends here")
    if wanted and not kind.is_http:
        raise fields.fault("insert_headers", f"left out, for {kind.value} has no headers")
    return wanted


def _parse_timeouts(options: Fields) -> Timeouts:
    def milliseconds(name: str, least: int = 1) -> timedelta | None:
        value = options.optional_integer(name, least=least, most=MAX_MILLISECONDS)
        return timedelta(milliseconds=value) if value else None

    return Timeouts(
        client=milliseconds("client_timeout"),
        server=milliseconds("server_timeout"),
        connect=milliseconds("connect_timeout"),
        inspect=milliseconds("tcp_inspect_timeout", least=0),
    )


def parse_cidrs(fields: Fields) -> tuple[str, ...]:
    """Networks in their canonical form, sorted, each once; host bits are cut off."""
    if not fields.has("allowed_cidrs"):
        return ()
    items = fields.items("allowed_cidrs")
    if len(items) > MAX_CIDRS:
        raise fields.fault("allowed_cidrs", f"at most {MAX_CIDRS} networks")
    return tuple(sorted({_parse_cidr(fields, item) for item in items}))


def _parse_cidr(fields: Fields, item: object) -> str:
    try:
        if not isinstance(item, str) or "%" in item:
            raise ValueError
        return str(ipaddress.ip_network(item, strict=False))
    except ValueError:
        raise Invalid(
            f"cannot read {fields.where('allowed_cidrs')}: {quoted(item)} is no network like 10.0.0.0/8"
        ) from None


def _parse_hsts(fields: Fields, *, allowed: bool) -> StrictTransport | None:
    given = fields.optional_nested("hsts")
    if given is None:
        return None
    if not allowed:
        raise fields.fault("hsts", "left out where no TLS is ended")
    return StrictTransport(
        max_age=given.integer("max_age", least=0, most=MAX_AGE),
        include_subdomains=given.flag("include_subdomains", default=False),
        preload=given.flag("preload", default=False),
    )
