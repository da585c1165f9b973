"""What the whole fleet says of the members at one node: who still has sessions there, who sends it traffic. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from libra.model.draining import Drained, is_at

_OPEN = ("UP", "no check")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSessions:
    """One member at one device. `status` is the device's word, as UP, DOWN, DRAIN, MAINT or "no check"."""

    device: str
    loadbalancer_id: str
    pool_id: str
    member_id: str
    address: str
    port: int
    status: str
    sessions: int

    @property
    def takes_traffic(self) -> bool:
        """Whether something new is sent there."""
        return self.status in _OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSessions:
    """Of the moment `at`. `silent` are the names of devices that did not say: what they have is not known."""

    at: datetime
    members: tuple[MemberSessions, ...] = ()
    silent: tuple[str, ...] = ()

    @property
    def sessions(self) -> int:
        """As far as it is known."""
        return sum(member.sessions for member in self.members)

    @property
    def is_drained(self) -> bool:
        """True only where everybody said so: nothing new goes there, and nothing is left."""
        busy = any(item.takes_traffic or item.sessions for item in self.members)
        return not self.silent and not busy

    @property
    def takes_traffic(self) -> bool:
        """True where every member of every device does; also where there is none."""
        return not self.silent and all(item.takes_traffic for item in self.members)


def read_members(
    device: str, reply: Mapping[str, Any], places: Drained
) -> Iterator[MemberSessions]:
    """Those at these places, in a reply to STATS."""
    for owner in _objects(reply.get("loadbalancers")):
        pools = _objects(owner.get("pools")) if "pools" in owner else [owner]  # 1.0 has none
        for pool in pools:
            for node in _objects(pool.get("nodes")):
                address, port = str(node.get("address", "")), _number(node.get("port"))
                if is_at(address, port, places):
                    yield MemberSessions(
                        device=device,
                        loadbalancer_id=str(owner.get("id", "")),
                        pool_id=str(pool.get("id", "")),
                        member_id=str(node.get("id", "")),
                        address=address,
                        port=port,
                        status=str(node.get("status", "")),
                        sessions=_number(node.get("current_sessions")),
                    )


def _objects(value: object) -> Iterable[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _number(value: object) -> int:
    """A port may be a text."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:9])
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
