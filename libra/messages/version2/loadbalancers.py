"""Reads the load balancers of a 2.0 UPDATE into the model."""

from collections.abc import Iterator

from libra.errors import Invalid
from libra.messages.fields import Fields, quoted
from libra.messages.members import ParseMembers, parse_members
from libra.messages.version2.listeners import parse_listener
from libra.messages.version2.pools import parse_pools
from libra.model.listener import Listener, Protocol
from libra.model.loadbalancer import LoadBalancer
from libra.model.pool import Pool
from libra.model.remembered import ByIdentity
from libra.model.webservice import ReverseProxy

MAX_LOADBALANCERS = 500
MAX_LISTENERS = 500
EVERY_IPV4 = "0.0.0.0"  # noqa: S104
EVERY_IPV6 = "::"


KnownLoadBalancers = ByIdentity[object, LoadBalancer]
"""What the objects of the last message were read as."""


def parse_loadbalancers(
    message: Fields, members: ParseMembers = parse_members, known: KnownLoadBalancers | None = None
) -> tuple[LoadBalancer, ...]:
    """Any number, also none; ids of load balancers, listeners and pools are unique on the device.

    `known` is for messages of a `Decoder` only, whose objects are never changed.
    """
    items = message.items("loadbalancers")
    count = len(items)
    if count > MAX_LOADBALANCERS:
        raise Invalid(
            f"cannot read loadbalancers: it must be at most {MAX_LOADBALANCERS} load balancers, got {count}"
        )
    parsed = tuple(
        (known.get(item) if known else None)
        or _parse_loadbalancer(Fields(item, f"loadbalancers[{index}]"), members)
        for index, item in enumerate(items)
    )
    _refuse_same_ids(parsed)
    _refuse_same_places(parsed)
    if known is not None:
        known.replace(items, parsed)
    return parsed


def _parse_loadbalancer(fields: Fields, members: ParseMembers) -> LoadBalancer:
    pools = parse_pools(fields, members)
    address = fields.listening_address("address") if fields.has("address") else None
    if fields.count("listeners") > MAX_LISTENERS:
        raise fields.fault("listeners", f"a list of at most {MAX_LISTENERS} listeners")
    listeners = tuple(parse_listener(item, pools) for item in fields.objects("listeners"))
    _refuse_mixed_pools(fields.where("listeners"), listeners)
    _refuse_other_addresses(fields.where("listeners"), address, listeners)
    return LoadBalancer(
        id=required_id(fields),
        name=fields.optional_text("name"),
        enabled=fields.flag("enabled", default=True),
        address=address,
        listeners=listeners,
    )


def _refuse_mixed_pools(where: str, listeners: tuple[Listener, ...]) -> None:
    """What a pool's members are sent is either requests or bytes, and either as it came or for one service."""
    protocols: dict[str, Protocol] = {}
    rewritten: set[str] = set()
    for index, listener in enumerate(listeners):
        for pool in (
            item.pool for item in listener.services or () if isinstance(item, ReverseProxy)
        ):
            if pool.id in rewritten or pool.id in protocols:
                raise Invalid(
                    f"cannot read {where}[{index}].services: {quoted(pool.id)} serves another listener already"
                )
            rewritten.add(pool.id)
        for name, pool in _targets(listener):
            if pool.id in rewritten:
                raise Invalid(
                    f"cannot read {where}[{index}].{name}: {quoted(pool.id)} is a service's"
                )
            first = protocols.setdefault(pool.id, listener.protocol)
            if first is not listener.protocol:
                raise Invalid(
                    f"cannot read {where}[{index}].{name}: {quoted(pool.id)} serves a listener of "
                    f"{first.value} already"
                )


def _targets(listener: Listener) -> Iterator[tuple[str, Pool]]:
    """What it sends requests to as they came, each with its place in the message."""
    if listener.pool is not None:
        yield "pool", listener.pool
    for number, policy in enumerate(listener.policies):
        if policy.pool is not None:
            yield f"policies[{number}].pool", policy.pool


def _refuse_other_addresses(
    where: str, address: str | None, listeners: tuple[Listener, ...]
) -> None:
    """Where the address is its load balancer's, it is of the kind that a listener asks for."""
    for index, item in enumerate(listeners):
        if item.ip_version is None or item.bind_address is not None or address is None:
            continue
        if (":" in address) != (item.ip_version == 6):
            raise Invalid(
                f"cannot read {where}[{index}].ip_version: it must be 4 or 6, as its address is"
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
    by_port: dict[int, _Places] = {}
    for loadbalancer in loadbalancers:
        for listener in loadbalancer.listeners:
            every = EVERY_IPV6 if listener.ip_version == 6 else EVERY_IPV4
            place = bind_address(loadbalancer, listener) or every
            if not by_port.setdefault(listener.port, _Places()).take(place):
                raise Invalid(
                    f"cannot read loadbalancers: two listeners want port {listener.port} of {place}"
                )


def bind_address(loadbalancer: LoadBalancer, listener: Listener) -> str | None:
    """Where the listener listens; None means every IPv4 address."""
    return listener.bind_address or loadbalancer.address


class _Places:
    """The addresses of one port; "0.0.0.0" takes every IPv4 address, "::" both families."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._has_ipv4 = False

    def take(self, place: str) -> bool:
        """False where it is taken, in part or as a whole."""
        is_ipv4 = ":" not in place
        covering = {place, "::", EVERY_IPV4} if is_ipv4 else {place, "::"}
        covers = (place == "::" and self._taken) or (place == EVERY_IPV4 and self._has_ipv4)
        if covers or not covering.isdisjoint(self._taken):
            return False
        self._taken.add(place)
        self._has_ipv4 = self._has_ipv4 or is_ipv4
        return True
