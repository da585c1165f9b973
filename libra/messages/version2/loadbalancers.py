"""Reads the load balancers of a 2.0 UPDATE into the model."""

from libra.errors import Invalid
from libra.messages.fields import Fields, quoted
from libra.messages.members import ParseMembers, parse_members
from libra.messages.version2.listeners import parse_listener
from libra.messages.version2.pools import parse_pools
from libra.model.listener import Listener
from libra.model.loadbalancer import LoadBalancer

MAX_LOADBALANCERS = 500
MAX_LISTENERS = 500
EVERY_IPV4 = "0.0.0.0"  # noqa: S104


def parse_loadbalancers(
    message: Fields, members: ParseMembers = parse_members
) -> tuple[LoadBalancer, ...]:
    """Any number, also none; ids of load balancers, listeners and pools are unique on the device."""
    count = message.count("loadbalancers")
    if count > MAX_LOADBALANCERS:
        raise Invalid(
            f"cannot read loadbalancers: it must be at most {MAX_LOADBALANCERS} load balancers, got {count}"
        )
    items = tuple(message.objects("loadbalancers"))
    parsed = tuple(_parse_loadbalancer(item, members) for item in items)
    _refuse_same_ids(parsed)
    _refuse_same_places(parsed)
    return parsed


def _parse_loadbalancer(fields: Fields, members: ParseMembers) -> LoadBalancer:
    pools = parse_pools(fields, members)
    address = fields.listening_address("address") if fields.has("address") else None
    if fields.count("listeners") > MAX_LISTENERS:
        raise fields.fault("listeners", f"a list of at most {MAX_LISTENERS} listeners")
    return LoadBalancer(
        id=required_id(fields),
        name=fields.optional_text("name"),
        enabled=fields.flag("enabled", default=True),
        address=address,
        listeners=tuple(parse_listener(item, pools) for item in fields.objects("listeners")),
    )


def required_id(fields: Fields) -> str:
    """In 2.0 whatever is there has an id."""
    identity = fields.identifier()
    if identity is None:
        raise Invalid(f"cannot read {fields.where('id')}: it is required")
    return identity


def _refuse_same_ids(loadbalancers: tuple[LoadBalancer, ...]) -> None:
    kinds = {
        "load balancers": [item.id for item in loadbalancers],
        "listeners": [one.id for item in loadbalancers for one in item.listeners],
        "pools": [one.id for item in loadbalancers for one in item.pools],
    }
    for kind, ids in kinds.items():
        twice = _first_twice(ids)
        if twice is not None:
            raise Invalid(f"cannot read loadbalancers: two {kind} have the id {quoted(twice)}")


def _first_twice(ids: list[str]) -> str | None:
    seen: set[str] = set()
    for identity in ids:
        if identity in seen:
            return identity
        seen.add(identity)
    return None


def _refuse_same_places(loadbalancers: tuple[LoadBalancer, ...]) -> None:
    by_port: dict[int, list[str]] = {}
    for loadbalancer in loadbalancers:
        for listener in loadbalancer.listeners:
            place = bind_address(loadbalancer, listener) or EVERY_IPV4
            others = by_port.setdefault(listener.port, [])
            if any(_overlap(place, other) for other in others):
                raise Invalid(
                    f"cannot read loadbalancers: two listeners want port {listener.port} of {place}"
                )
            others.append(place)


def bind_address(loadbalancer: LoadBalancer, listener: Listener) -> str | None:
    """Where the listener listens; None means every IPv4 address."""
    return listener.bind_address or loadbalancer.address


def _overlap(one: str, other: str) -> bool:
    """ "0.0.0.0" takes every IPv4 address, "::" both families."""
    if "::" in (one, other) or one == other:
        return True
    return EVERY_IPV4 in (one, other) and ":" not in one + other
