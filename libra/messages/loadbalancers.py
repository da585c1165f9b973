"""Reads the load balancers of an UPDATE message (protocol 1.0) into the model."""

from datetime import timedelta
from itertools import combinations

from libra.errors import Invalid
from libra.messages.fields import Fields, quoted
from libra.messages.members import ParseMembers, parse_members
from libra.messages.pools import parse_pool
from libra.model.listener import Listener, Protocol, Timeouts
from libra.model.loadbalancer import LoadBalancer

DEFAULT_HTTP_PORT = 80
EVERY_IPV4 = "0.0.0.0"  # noqa: S104
MAX_MILLISECONDS = 24 * 3600 * 1000
MAX_CONNECTIONS = 10_000_000
MAX_RETRIES = 100


def default_id(protocol: Protocol) -> str:
    """The id of a load balancer that came without one: there is one of a protocol at most."""
    return protocol.value.lower()


def parse_loadbalancers(
    message: Fields, members: ParseMembers = parse_members
) -> tuple[LoadBalancer, ...]:
    """The load balancers of an UPDATE: one, or two where one is HTTP and the other TCP."""
    count = message.count("loadbalancers")
    if not 1 <= count <= len(Protocol):
        raise _wrong_set(str(count))
    items = tuple(message.objects("loadbalancers"))
    protocols = [item.choice("protocol", Protocol) for item in items]
    if len(set(protocols)) != count:
        raise _wrong_set(f"two with the protocol {protocols[0].value}")
    parsed = tuple(
        _parse_loadbalancer(item, protocol, members)
        for item, protocol in zip(items, protocols, strict=True)
    )
    for one, other in combinations(parsed, 2):
        _refuse_same_id(one, other)
        _refuse_same_port(one, other)
    return parsed


def _wrong_set(got: str) -> Invalid:
    return Invalid(
        "cannot read loadbalancers: it must be one load balancer, or two where one is HTTP and the other TCP, "
        f"got {got}"
    )


def _refuse_same_id(one: LoadBalancer, other: LoadBalancer) -> None:
    if one.id == other.id:
        raise Invalid(f"cannot read loadbalancers: two of them have the id {quoted(one.id)}")


def _refuse_same_port(one: LoadBalancer, other: LoadBalancer) -> None:
    for mine in one.listeners:
        for theirs in other.listeners:
            if mine.port == theirs.port and _overlap(mine.bind_address, theirs.bind_address):
                raise Invalid(f"cannot read loadbalancers: two of them listen on port {mine.port}")


def _overlap(one: str | None, other: str | None) -> bool:
    """None and "0.0.0.0" take every IPv4 address, "::" takes both families."""
    one, other = one or EVERY_IPV4, other or EVERY_IPV4
    if "::" in (one, other) or one == other:
        return True
    return EVERY_IPV4 in (one, other) and ":" not in one + other


def _parse_loadbalancer(fields: Fields, protocol: Protocol, members: ParseMembers) -> LoadBalancer:
    identity = fields.identifier() or default_id(protocol)
    return LoadBalancer(
        id=identity,
        name=fields.optional_text("name"),
        listeners=(_parse_listener(fields, protocol, identity, members),),
    )


def _parse_listener(
    fields: Fields, protocol: Protocol, identity: str, members: ParseMembers
) -> Listener:
    listens = fields.listening_address("bind_address") if fields.has("bind_address") else None
    options = fields.optional_nested("options") or Fields({})
    return Listener(
        id=identity,
        protocol=protocol,
        bind_address=listens,
        port=_parse_port(fields, protocol),
        pool=parse_pool(fields, protocol, identity, members),
        connection_limit=fields.optional_integer("connection_limit", least=1, most=MAX_CONNECTIONS),
        x_forwarded_for=_parse_forwarded(fields, protocol),
        timeouts=_parse_timeouts(options),
        connect_retries=options.optional_integer("connect_retries", least=0, most=MAX_RETRIES),
    )


def _parse_port(fields: Fields, protocol: Protocol) -> int:
    if protocol is not Protocol.HTTP and not fields.has("port"):
        raise Invalid(f"cannot read {fields.where('port')}: it is required for {protocol.value}")
    return fields.integer("port", least=1, most=65535, default=DEFAULT_HTTP_PORT)


def _parse_forwarded(fields: Fields, protocol: Protocol) -> bool:
    forwarded = fields.flag("x_forwarded_for", default=False)
    if forwarded and protocol is not Protocol.HTTP:
        raise fields.fault("x_forwarded_for", f"left out, for {protocol.value} has no headers")
    return forwarded


def _parse_timeouts(options: Fields) -> Timeouts:
    def milliseconds(name: str) -> timedelta | None:
        value = options.optional_integer(name, least=1, most=MAX_MILLISECONDS)
        return None if value is None else timedelta(milliseconds=value)

    return Timeouts(
        client=milliseconds("client_timeout"),
        server=milliseconds("server_timeout"),
        connect=milliseconds("connect_timeout"),
    )
