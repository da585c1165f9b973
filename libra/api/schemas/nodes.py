"""What requests about nodes hold, and what is shown of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import parse_qsl

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.datastructures import QueryParams

from libra.api.schemas.shown import show_fields
from libra.api.schemas.types import Body, Text, Whole
from libra.config.types import parse_host
from libra.errors import Invalid
from libra.messages.addresses import is_group, is_wildcard
from libra.messages.fields import quoted
from libra.model.nodesessions import NodeSessions
from libra.model.nodestatus import (
    DEFAULT_GROUP,
    GROUP_NAME,
    MAX_REASON,
    NODE_NAME,
    Mark,
    Node,
    NodeGroup,
    NodeStatus,
    parse_reason,
)

FORM = "application/x-www-form-urlencoded"
JSON_TYPE = "application/json"
MOST_NAMES = 10_000
LONGEST_SECONDS = 366 * 24 * 3600
Json = dict[str, Any]
_NODE = (
    *("name", "address", "port", "status", "reason", "author", "since", "expires_at"),
    *("created_at", "updated_at"),
)
_GROUP = ("name", "min_online", "created_at", "updated_at")
_MEMBER = (
    *("device", "loadbalancer_id", "pool_id", "member_id", "address", "port", "status"),
    "sessions",
)
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no", "")


def _address(value: str) -> str:
    """Canonical; "" takes it away."""
    if not value:
        return value
    try:
        host = parse_host(value)
    except ValueError:
        raise ValueError("it must be an address or a host name") from None
    if is_wildcard(host) or is_group(host):
        raise ValueError("it must be the address of one host")
    return host


NodeName = Annotated[str, Field(pattern=f"^{NODE_NAME}$", description="exact; case matters")]
GroupName = Annotated[str, Field(pattern=f"^{GROUP_NAME}$")]
Reason = Annotated[str, Field(max_length=MAX_REASON, description="for people")]
Seconds = Annotated[Whole, Field(ge=1, le=LONGEST_SECONDS)]
Address = Annotated[
    str,
    Field(max_length=253, description="members there are drained with it"),
    AfterValidator(_address),
]
Port = Annotated[Whole, Field(ge=1, le=65535)]


class NodeChange(Body):
    """Only what is given changes."""

    group: GroupName = DEFAULT_GROUP
    address: Address = ""
    port: Annotated[Port | None, Field(description="none means every port")] = None


class NodeBody(NodeChange):
    """A node to be reported; its group is made where it is not there yet."""

    name: NodeName


class NodeGroupChange(Body):
    """Only what is given changes."""

    min_online: Annotated[
        Annotated[Whole, Field(ge=0, le=1_000_000)] | None,
        Field(description="how many must stay online; null: one, but where it has only one node"),
    ] = None


class NodeGroupBody(NodeGroupChange):
    """A group of nodes."""

    name: GroupName


class NodeStatusBody(Body):
    """A mark; `expires_in` are seconds, after which an offline node comes back by itself."""

    status: NodeStatus
    reason: Reason = ""
    expires_in: Seconds | None = None
    force: Annotated[
        bool, Field(description="even if too few of its group, or none of a pool, take traffic")
    ] = False


class NodesStatusBody(NodeStatusBody):
    """One mark for several nodes."""

    names: Annotated[tuple[NodeName, ...], Field(min_length=1, max_length=MOST_NAMES)]


class NodesAsked(BaseModel):
    """What a list of nodes is narrowed by."""

    model_config = ConfigDict(extra="forbid")

    group: GroupName | None = None
    status: NodeStatus | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 1000
    marker: Annotated[Text | None, Field(description="the name of the last node before")] = None


@dataclass(frozen=True, slots=True)
class StatusChange:
    """What a request to `setstatus` wants."""

    marks: Mapping[str, Mark]
    force: bool = False


def parse_change(query: QueryParams, media_type: str, body: bytes, now: datetime) -> StatusChange:
    """The seed's: JSON in the parameter `change`, of the form or the address; or as the body itself.

    Beside it may stand `reason`, `expires_in` (seconds) and `force`; other parameters are passed over, as they always
    were. Raises `Invalid`.
    """
    given = _read_parameters(query, media_type, body)
    if media_type == JSON_TYPE and body:
        text = body.decode("utf-8", "replace")
    else:
        text = given.get("change", "")
        if not text:
            raise Invalid("cannot set a status: the parameter 'change' with JSON is missing")
    reason = parse_reason(given.get("reason", ""))
    expires = _parse_expiry(given.get("expires_in", ""), now)
    return StatusChange(
        {
            name: Mark(status=status, reason=reason, expires_at=expires)
            for name, status in _parse_statuses(text).items()
        },
        _parse_flag(given.get("force", "")),
    )


def _read_parameters(query: QueryParams, media_type: str, body: bytes) -> dict[str, str]:
    """One value a name."""
    pairs = query.multi_items()
    if media_type == FORM:
        try:
            text = body.decode("ascii")
            pairs = [*pairs, *parse_qsl(text, keep_blank_values=True, max_num_fields=100)]
        except ValueError:
            raise Invalid("cannot set a status: the form cannot be read") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if found.setdefault(name, value) != value and name in _MEANT:
            raise Invalid(f"cannot set a status: {name} is given twice")
    return found


_MEANT = ("change", "reason", "expires_in", "force")


def _parse_statuses(text: str) -> dict[str, NodeStatus]:
    try:
        given = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise Invalid("cannot set a status: that is no JSON") from None
    if not isinstance(given, dict):
        raise Invalid('cannot set a status: it must be like {"node1": {"status": "offline"}}')
    given = _unwrap(given)
    if not all(
        name.isprintable() for name in given
    ):  # half a letter cannot be looked for, nor told
        raise Invalid("cannot set a status: a name holds what cannot be printed")
    return {name: _parse_status(name, entry) for name, entry in given.items()}


def _unwrap(given: dict[str, Any]) -> dict[str, Any]:
    """A body may name the parameter, too, as a form does. A node of that name has a status beside it."""
    inner = given.get("change")
    if len(given) > 1 or not isinstance(inner, dict) or isinstance(inner.get("status"), str):
        return given
    return inner


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Invalid("cannot set a status: a name is there twice")
    return found


def _parse_status(name: str, entry: object) -> NodeStatus:
    if not isinstance(entry, dict) or "status" not in entry:
        raise Invalid(
            f'cannot set the status of {quoted(name)}: it must be like {{"status": "offline"}}'
        )
    status = entry["status"]
    if status not in [item.value for item in NodeStatus]:
        raise Invalid(
            f"cannot set the status of {quoted(name)}: it must be online or offline, got {quoted(status)}"
        )
    return NodeStatus(status)


def _parse_expiry(text: str, now: datetime) -> datetime | None:
    if not text:
        return None
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= seconds <= LONGEST_SECONDS:
        raise Invalid(
            f"cannot use expires_in {quoted(text)}: it must be 1 to {LONGEST_SECONDS} seconds"
        )
    return now + timedelta(seconds=seconds)


def _parse_flag(text: str) -> bool:
    if text.lower() not in (*_TRUE, *_FALSE):
        raise Invalid(f"cannot use force {quoted(text)}: it must be true or false")
    return text.lower() in _TRUE


def build_mark(body: NodeStatusBody, now: datetime) -> Mark:
    """As the use case takes it."""
    within = body.expires_in
    expires = now + timedelta(seconds=within) if within is not None else None
    return Mark(status=body.status, reason=parse_reason(body.reason), expires_at=expires)


def show_statuses(board: Mapping[str, tuple[str, NodeStatus]], group: str = "") -> Json:
    """The seed's answer, by name."""
    return {
        name: {"status": status.value}
        for name, (of, status) in sorted(board.items())
        if not group or of == group
    }


def show_node(node: Node, groups: Mapping[str, str]) -> Json:
    """With the name of its group."""
    return {**show_fields(node, _NODE), "group": groups.get(node.group_id, "")}


def show_group(group: NodeGroup, nodes: int, online: int) -> Json:
    """With how many it has."""
    return {**show_fields(group, _GROUP), "nodes": nodes, "online": online}


def show_sessions(told: NodeSessions) -> Json:
    """`at` is when they were counted; `silent` are devices that did not say."""
    return {
        "total": told.sessions,
        "at": told.at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds"),
        "silent": list(told.silent),
        "drained": told.is_drained,
        "takes_traffic": told.takes_traffic,
        "members": [show_fields(item, _MEMBER) for item in told.members],
    }
