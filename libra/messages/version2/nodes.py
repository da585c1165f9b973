"""Nodes whose health a device reports, in 2.0: {"GROUP": {"NAME": "online", "NAME": "offline"}}."""

from collections.abc import Sequence

from libra.errors import Invalid
from libra.messages.codec import JsonObject
from libra.messages.fields import Fields, quoted
from libra.model.nodestatus import NodeStatus, ReportedNode, is_group_name, is_node_name

FIELD = "nodes"
MAX_NODES = 50_000
_STATUSES = {status.value: status for status in NodeStatus}


def parse_nodes(message: Fields) -> tuple[ReportedNode, ...] | None:
    """By group and name; None where there is no such field. Raises `Invalid`."""
    if not message.has(FIELD):
        return None
    found: dict[str, ReportedNode] = {}
    for group, names in _items(message.raw(FIELD), message.where(FIELD)):
        where = f"{message.where(FIELD)}.{group}"
        if not is_group_name(group):
            raise Invalid(f"cannot read {FIELD}: no group is called {quoted(group)}")
        for name, status in _items(names, where):
            if not is_node_name(name) or name in found:
                raise Invalid(
                    f"cannot read {where}: no name, or one that is there twice: {quoted(name)}"
                )
            found[name] = ReportedNode(group, name, _status(status, f"{where}.{name}"))
    if len(found) > MAX_NODES:
        raise Invalid(f"cannot read {FIELD}: at most {MAX_NODES} nodes, got {len(found)}")
    return tuple(sorted(found.values(), key=lambda item: item[:2]))


def _items(value: object, where: str) -> list[tuple[str, object]]:
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise Invalid(f"cannot read {where}: it must be an object")
    return list(value.items())


def _status(value: object, where: str) -> NodeStatus:
    status = _STATUSES.get(value) if isinstance(value, str) else None
    if status is None:
        raise Invalid(f"cannot read {where}: it must be online or offline, got {quoted(value)}")
    return status


def build_nodes(nodes: Sequence[ReportedNode]) -> JsonObject:
    """What `parse_nodes` reads as exactly these."""
    groups: dict[str, JsonObject] = {}
    for node in nodes:
        groups.setdefault(node.group, {})[node.name] = node.status.value
    return dict(groups)
