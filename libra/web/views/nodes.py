"""Nodes whose health is reported, by group: ticked ones are offline."""

from collections import defaultdict

from libra.model.nodestatus import Node, NodeGroup, least_online
from libra.usecases import nodegroups, nodes
from libra.web.pages import Context, Look


def view(look: Look) -> Context:
    """Groups by name, each with its nodes by name."""
    by_group: dict[str, list[Node]] = defaultdict(list)
    for node in nodes.list_nodes(look.services):
        by_group[node.group_id].append(node)
    groups = sorted(nodegroups.list_groups(look.services), key=lambda group: group.name)
    return {
        "now": look.services.clock(),
        "groups": [(group, _ordered(by_group[group.id])) for group in groups],
        "least": {group.id: _least(group, by_group) for group in groups},
    }


def _ordered(found: list[Node]) -> list[Node]:
    return sorted(found, key=lambda node: node.name)


def _least(group: NodeGroup, by_group: dict[str, list[Node]]) -> int:
    return least_online(group, len(by_group[group.id]))
