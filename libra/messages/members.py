"""Reads the nodes of a load balancer in an UPDATE message; what came before as the very same objects only once."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import compress, count
from operator import is_not

from libra.errors import Invalid
from libra.messages.decoder import known_ends
from libra.messages.fields import Fields, quoted
from libra.model.pool import Condition, Member

MAX_NODES = 20_000
MAX_WEIGHT = 256
MOST_REMEMBERED = 1000  # lists of nodes
POOL_KEY = "pool "  # begins the key of a pool of a 2.0 message, whose nodes know more fields

ParseMembers = Callable[[Fields, str], tuple[Member, ...]]
"""From the fields of a load balancer and a key, which is the same for its next message, to its members."""


def parse_members(fields: Fields, key: str = "") -> tuple[Member, ...]:
    """The members in the list `nodes`; raises `Invalid` with the path of the first fault."""
    nodes = _nodes(fields)
    members = tuple(_parse_some(fields, nodes, 0, len(nodes), key))
    _refuse_twins(fields.where("nodes"), members)
    return members


class RememberedMembers:
    """`parse_members` for messages of a `Decoder`, where nodes that came before are the same objects and unchanged.

    Equal objects are not enough: true equals 1, and only one of them is a weight. Threads may share it.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def __call__(self, fields: Fields, key: str) -> tuple[Member, ...]:
        """As `parse_members`."""
        known = self._known.pop(key, None)  # nobody else has it meanwhile
        if known is None:
            members = parse_members(fields, key)
            known = _Known(_nodes(fields), members, key)
        try:
            return known.parse(fields)
        finally:
            self._known[key] = known
            if len(self._known) > MOST_REMEMBERED:
                self._forget_oldest()

    def _forget_oldest(self) -> None:
        with suppress(StopIteration, RuntimeError):  # another thread forgets, too
            self._known.pop(next(iter(self._known)), None)


class _Known:
    """The last good list, its members, and what no two of them may share."""

    def __init__(self, nodes: Sequence[object], members: tuple[Member, ...], key: str) -> None:
        self._key = key
        self._nodes = nodes
        self._members = members
        self._marks = set(_marks(members))

    def parse(self, fields: Fields) -> tuple[Member, ...]:
        """The members of another list; where it is at fault, everything stays as it was."""
        nodes = _nodes(fields)
        start, end = _same_ends(self._nodes, nodes)
        stop = len(self._members) - end
        fresh = _parse_some(fields, nodes, start, len(nodes) - end, self._key)
        members = self._members[:start] + tuple(fresh) + self._members[stop:]
        gone, come = set(_marks(self._members[start:stop])), set(_marks(fresh))
        if len(come) != 2 * len(fresh) or not (come - gone).isdisjoint(self._marks):
            _refuse_twins(fields.where("nodes"), members)
        self._marks -= gone
        self._marks |= come
        self._nodes, self._members = nodes, members
        return members


def _same_ends(one: Sequence[object], other: Sequence[object]) -> tuple[int, int]:
    """How many objects both begin and end with, without counting any twice."""
    shorter = min(len(one), len(other))
    start, end = known_ends(one, other)
    start = next(compress(count(start), map(is_not, one[start:], other[start:])), shorter)
    first, second = one[: len(one) - end], other[: len(other) - end]
    backwards = map(is_not, reversed(first), reversed(second))
    return start, min(next(compress(count(end), backwards), shorter), shorter - start)


def _marks(members: Iterable[Member]) -> Iterable[object]:
    for member in members:
        yield member.id
        yield (member.address, member.port)


def _nodes(fields: Fields) -> Sequence[object]:
    nodes = fields.items("nodes")
    if not 1 <= len(nodes) <= MAX_NODES:
        raise Invalid(
            f"cannot read {fields.where('nodes')}: it must hold 1 to {MAX_NODES} nodes, got {len(nodes)}"
        )
    return nodes


def _parse_some(
    fields: Fields, nodes: Sequence[object], start: int, stop: int, key: str
) -> list[Member]:
    where = fields.where("nodes")
    parse = _parse_checked_member if key.startswith(POOL_KEY) else _parse_member
    return [parse(Fields(nodes[i], f"{where}[{i}]")) for i in range(start, stop)]


def _parse_checked_member(fields: Fields) -> Member:
    """With where its checks go."""
    member = _parse_member(fields)
    if not fields.has("monitor_address") and not fields.has("monitor_port"):
        return member
    has_address = fields.has("monitor_address")
    return replace(
        member,
        monitor_address=fields.address("monitor_address") if has_address else None,
        monitor_port=fields.optional_integer("monitor_port", least=1, most=65535),
    )


def _parse_member(fields: Fields) -> Member:
    address = fields.address("address")
    port = fields.integer("port", least=1, most=65535)
    host = f"[{address}]" if ":" in address else address
    return Member(
        id=fields.identifier() or f"{host}:{port}",
        address=address,
        port=port,
        weight=fields.integer("weight", least=0, most=MAX_WEIGHT, default=1),
        condition=fields.choice("condition", Condition, default=Condition.ENABLED),
        backup=fields.flag("backup", default=False),
    )


def _refuse_twins(where: str, members: tuple[Member, ...]) -> None:
    by_target: dict[tuple[str, int], int] = {}
    by_id: dict[str, int] = {}
    for index, member in enumerate(members):
        first = by_target.setdefault((member.address, member.port), index)
        if first != index:
            raise Invalid(
                f"cannot read {where}[{index}]: it is the same address and port as {where}[{first}], "
                f"{quoted(member.address)} port {member.port}"
            )
        first = by_id.setdefault(member.id, index)
        if first != index:
            raise Invalid(
                f"cannot read {where}[{index}].id: {where}[{first}] has the same id {quoted(member.id)}"
            )
