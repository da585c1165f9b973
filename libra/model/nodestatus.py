"""Nodes whose health libra reports: the operator's mark on each, and how many of a group must stay online. Pure.

Contract: the seed `clustermgmt.txt`. A node is what a deployer takes out of service and brings back, no device of ours.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from libra.errors import Conflict, Invalid

DEFAULT_GROUP = "default"
MAX_REASON = 255
"""Characters, at every door."""
NODE_NAME = r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}"
GROUP_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_NODE_NAME = re.compile(NODE_NAME)
_GROUP_NAME = re.compile(GROUP_NAME)


class NodeStatus(Enum):
    """The operator's mark; whether the node works is another question."""

    ONLINE = "online"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """`min_online` is how many of its nodes must stay online; None: one, but where it has only one node."""

    id: str
    name: str
    min_online: int | None = None
    created_at: datetime
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """`name` is unique among all groups. Members at `address`, and `port` where it is given, are drained with it.

    `address` is an IP address or a lower-case host name, "" where nothing is drained. `author` marked it, `since` then;
    a mark with `expires_at` is taken off at that time.
    """

    id: str
    name: str
    group_id: str
    address: str = ""
    port: int | None = None
    status: NodeStatus = NodeStatus.ONLINE
    reason: str = ""
    author: str = ""
    since: datetime
    expires_at: datetime | None = None
    created_at: datetime
    updated_at: datetime | None = None

    @property
    def is_online(self) -> bool:
        """By its mark."""
        return self.status is NodeStatus.ONLINE


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What an operator says of a node."""

    status: NodeStatus
    reason: str = ""
    expires_at: datetime | None = None


def is_node_name(text: str) -> bool:
    """Letters, digits and . _ : @ -: whole in a URL, in a map of HAProxy and on its socket."""
    return _NODE_NAME.fullmatch(text) is not None


def parse_reason(text: str) -> str:
    """Without blanks around it. Raises `Invalid` for what is too long for a line that people read, or is none."""
    reason = text.strip()
    if len(reason) > MAX_REASON:
        raise Invalid(
            f"cannot take the reason: it has {len(reason)} characters, at most {MAX_REASON} are taken"
        )
    if not reason.isprintable():
        raise Invalid("cannot take the reason: it holds characters that cannot be printed")
    return reason


def is_group_name(text: str) -> bool:
    """One segment of a path."""
    return _GROUP_NAME.fullmatch(text) is not None


def marked(node: Node, mark: Mark, author: str, now: datetime) -> Node:
    """With that mark. The same status again keeps author and time, but ends when the later mark says so."""
    is_offline = mark.status is NodeStatus.OFFLINE
    if mark.status is node.status:
        if not is_offline:
            return node
        return replace(
            node,
            reason=mark.reason or node.reason,
            expires_at=mark.expires_at,
        )
    return replace(
        node,
        status=mark.status,
        reason=mark.reason,
        author=author,
        since=now,
        expires_at=mark.expires_at if is_offline else None,
        updated_at=now,
    )


def has_expired(node: Node, now: datetime) -> bool:
    """Its mark is to be taken off."""
    return not node.is_online and node.expires_at is not None and node.expires_at <= now


def least_online(group: NodeGroup, count: int) -> int:
    """How many of `count` nodes must stay online."""
    if group.min_online is not None:
        return group.min_online
    return 1 if count > 1 else 0


def ensure_enough(
    group: NodeGroup, before: Iterable[Node], after: Iterable[Node], at_least: int = 0
) -> None:
    """Raises `Conflict` where a group would lose more than it, or who asks, can do without.

    One that has too few already may get more, or stay as it is.
    """
    now = list(after)
    had, has = _count_online(before), _count_online(now)
    least = max(at_least, least_online(group, len(now)))
    if has < had and has < least:
        raise Conflict(
            f"cannot take that many nodes of the group '{group.name}' offline: {has} of {len(now)} would be online, "
            f"and {least} must be; force does it all the same"
        )


def _count_online(nodes: Iterable[Node]) -> int:
    return sum(node.is_online for node in nodes)


class ReportedNode(NamedTuple):
    """What a device reports of a node by itself: a tuple, for there are thousands."""

    group: str
    name: str
    status: NodeStatus


def reported(board: "Board") -> tuple[ReportedNode, ...]:
    """All of it, in one order."""
    found = (ReportedNode(group, name, status) for name, (group, status) in board.items())
    return tuple(sorted(found, key=lambda item: item[:2]))


Board = Mapping[str, tuple[str, NodeStatus]]
"""The group and the status of each node, by its name: what health checks are answered from."""
