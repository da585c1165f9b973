"""Reads the load balancers of an UPDATE message (protocol 1.0) into the model."""

import re
from datetime import timedelta

from libra.errors import Invalid
from libra.messages.fields import Fields, quoted
from libra.model.listener import Listener, Protocol, Timeouts
from libra.model.loadbalancer import LoadBalancer
from libra.model.pool import (
    Algorithm,
    Condition,
    HealthMonitor,
    Member,
    MonitorType,
    PersistenceType,
    Pool,
    SessionPersistence,
)

DEFAULT_HTTP_PORT = 80
MAX_WEIGHT = 256
MAX_NODES = 20_000
MAX_MILLISECONDS = 24 * 3600 * 1000
MAX_MONITOR_SECONDS = 3600
MAX_CONNECTIONS = 10_000_000
_PATH = re.compile(r"/[\x21\x23-\x26\x28-\x5b\x5d-\x7e]*")  # no space, quote or backslash
_COOKIE_NAME = re.compile(r"[A-Za-z0-9!#$%&*+.^_|~-]{1,64}")
_CODES = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")


def default_id(protocol: Protocol) -> str:
    """The id of a load balancer that came without one: there is one of a protocol at most."""
    return protocol.value.lower()


def parse_loadbalancers(message: Fields) -> tuple[LoadBalancer, ...]:
    """The load balancers of an UPDATE: one, or two where one is HTTP and the other TCP."""
    parsed = tuple(_parse_loadbalancer(fields) for fields in message.objects("loadbalancers"))
    protocols = [lb.listeners[0].protocol for lb in parsed]
    if not parsed or len(parsed) > 2 or len(set(protocols)) != len(protocols):
        raise Invalid(
            "cannot read loadbalancers: must be one load balancer, or two where one is HTTP and the other TCP, "
            f"got {' and '.join(p.value for p in protocols[:5]) or 'none'}"
        )
    _refuse_same_id(parsed)
    _refuse_same_port(parsed)
    return parsed


def _refuse_same_id(loadbalancers: tuple[LoadBalancer, ...]) -> None:
    if len({lb.id for lb in loadbalancers}) != len(loadbalancers):
        raise Invalid(f"cannot read loadbalancers: two of them have the id '{loadbalancers[0].id}'")


def _refuse_same_port(loadbalancers: tuple[LoadBalancer, ...]) -> None:
    listeners = [listener for lb in loadbalancers for listener in lb.listeners]
    for index, one in enumerate(listeners):
        for other in listeners[index + 1 :]:
            if one.port == other.port and _overlap(one.bind_address, other.bind_address):
                raise Invalid(f"cannot read loadbalancers: two of them listen on port {one.port}")


def _overlap(one: str | None, other: str | None) -> bool:
    """A wildcard covers every address; "::" takes IPv4 as well."""
    wildcards = (None, "0.0.0.0", "::")  # noqa: S104
    return one == other or one in wildcards or other in wildcards


def _parse_loadbalancer(fields: Fields) -> LoadBalancer:
    protocol = fields.choice("protocol", Protocol)
    identity = fields.optional_text("id") or default_id(protocol)
    return LoadBalancer(
        id=identity,
        name=fields.optional_text("name"),
        listeners=(_parse_listener(fields, protocol, identity),),
    )


def _parse_listener(fields: Fields, protocol: Protocol, identity: str) -> Listener:
    default_port = DEFAULT_HTTP_PORT if protocol is Protocol.HTTP else None
    options = fields.optional_object("options")
    forwarded = fields.flag("x_forwarded_for", default=False)
    if forwarded and protocol is not Protocol.HTTP:
        raise fields.fault("x_forwarded_for", f"left out, for {protocol.value} has no headers")
    return Listener(
        id=identity,
        protocol=protocol,
        bind_address=fields.address("bind_address", host_names=False)
        if fields.has("bind_address")
        else None,
        port=fields.integer("port", least=1, most=65535, default=default_port),
        pool=_parse_pool(fields, protocol, identity),
        connection_limit=fields.optional_integer("connection_limit", least=1, most=MAX_CONNECTIONS),
        x_forwarded_for=forwarded,
        timeouts=_parse_timeouts(options) if options else Timeouts(),
        connect_retries=options.optional_integer("connect_retries", least=0, most=100)
        if options
        else None,
    )


def _parse_timeouts(options: Fields) -> Timeouts:
    def milliseconds(name: str) -> timedelta | None:
        value = options.optional_integer(name, least=1, most=MAX_MILLISECONDS)
        return None if value is None else timedelta(milliseconds=value)

    return Timeouts(
        client=milliseconds("client_timeout"),
        server=milliseconds("server_timeout"),
        connect=milliseconds("connect_timeout"),
    )


def _parse_pool(fields: Fields, protocol: Protocol, identity: str) -> Pool:
    return Pool(
        id=identity,
        members=_parse_members(fields),
        algorithm=fields.choice("algorithm", Algorithm, default=Algorithm.ROUND_ROBIN),
        monitor=_parse_monitor(fields.object("monitor")) if fields.has("monitor") else None,
        persistence=_parse_persistence(fields, protocol),
    )


def _parse_members(fields: Fields) -> tuple[Member, ...]:
    where = fields.where("nodes")
    members = tuple(_parse_member(item) for item in fields.objects("nodes"))
    if not 1 <= len(members) <= MAX_NODES:
        raise Invalid(f"cannot read {where}: must hold 1 to {MAX_NODES} nodes, got {len(members)}")
    addresses: set[tuple[str, int]] = set()
    ids: set[str] = set()
    for member in members:
        if (member.address, member.port) in addresses:
            raise Invalid(
                f"cannot read {where}: the node {member.address} port {member.port} is given twice"
            )
        if member.id in ids:
            raise Invalid(f"cannot read {where}: two nodes have the id '{member.id}'")
        addresses.add((member.address, member.port))
        ids.add(member.id)
    return members


def _parse_member(fields: Fields) -> Member:
    address = fields.address("address")
    port = fields.integer("port", least=1, most=65535)
    host = f"[{address}]" if ":" in address else address
    return Member(
        id=fields.optional_text("id") or f"{host}:{port}",
        address=address,
        port=port,
        weight=fields.integer("weight", least=0, most=MAX_WEIGHT, default=1),
        condition=fields.choice("condition", Condition, default=Condition.ENABLED),
        backup=fields.flag("backup", default=False),
    )


def _parse_monitor(fields: Fields) -> HealthMonitor:
    kind = fields.choice("type", MonitorType)
    delay = fields.integer("delay", least=1, most=MAX_MONITOR_SECONDS, default=30)
    timeout = fields.integer("timeout", least=1, most=MAX_MONITOR_SECONDS, default=min(delay, 10))
    path = fields.optional_text("path", longest=1024) or "/"
    if not _PATH.fullmatch(path):
        raise fields.fault(
            "path", "a path that starts with / and holds no space, quote or backslash"
        )
    return HealthMonitor(
        type=kind,
        delay=timedelta(seconds=delay),
        timeout=timedelta(seconds=timeout),
        attempts=fields.integer("attempts", least=1, most=100, default=2),
        path=path,
        expected_codes=_parse_codes(fields) if fields.has("expected_codes") else ((200, 299),),
    )


def _parse_codes(fields: Fields) -> tuple[tuple[int, int], ...]:
    """ "200", "200,202", "200-204", 200, or a list of these."""
    raw = fields.raw("expected_codes")
    parts = raw if isinstance(raw, list) else raw.split(",") if isinstance(raw, str) else [raw]
    ranges = []
    for part in parts[:100]:
        match = _CODES.fullmatch(quoted(part).strip("' "))
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise fields.fault("expected_codes", "status codes like 200, 200-204 or 200,302")
        ranges.append((int(match[1]), int(match[2] or match[1])))
    if not ranges:
        raise fields.fault("expected_codes", "at least one status code")
    return tuple(ranges)


def _parse_persistence(fields: Fields, protocol: Protocol) -> SessionPersistence | None:
    if not fields.has("session_persistence"):
        return None
    raw = fields.raw("session_persistence")
    where = fields.where("session_persistence")
    persistence = Fields({"type": raw} if isinstance(raw, str) else raw, where)
    kind = persistence.choice("type", PersistenceType)
    if kind is PersistenceType.HTTP_COOKIE and protocol is not Protocol.HTTP:
        raise persistence.fault("type", f"SOURCE_IP, for {protocol.value} has no cookies")
    cookie = persistence.optional_text("cookie_name")
    if cookie is not None and not _COOKIE_NAME.fullmatch(cookie):
        raise persistence.fault(
            "cookie_name", "a cookie name of up to 64 letters, digits and !#$%&*+.^_|~-"
        )
    return SessionPersistence(
        type=kind, cookie_name=cookie if kind is PersistenceType.HTTP_COOKIE else None
    )
