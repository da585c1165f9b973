"""The list of the nodes that a group has, saved whole or not at all."""

from collections.abc import Mapping
from dataclasses import replace

from libra.model.access import Caller
from libra.model.nodestatus import Node
from libra.storage.base import UnitOfWork
from libra.storage.query import Query
from libra.usecases.nodedevices import hold_told, tell_devices, told_of
from libra.usecases.nodegroups import get_group
from libra.usecases.nodes import NODES, delete_node, insert_node
from libra.usecases.outbox import add_event
from libra.usecases.services import Services

Addresses = Mapping[str, str]
"""By a node's name, "" where none is given."""


def add_nodes(services: Services, caller: Caller, group: str, wanted: Addresses) -> None:
    """To a group, which is made where it is not there yet. Raises `Invalid`, `AlreadyExists`."""
    _save(services, caller, group, wanted, whole=False)


def save_nodes(services: Services, caller: Caller, group: str, wanted: Addresses) -> None:
    """Those that are missing go, with their marks; new ones come; one with another address moves there, one without
    keeps its own. Raises `NotFound` without the group, and `AlreadyExists` for a node that another group has.
    """
    _save(services, caller, group, wanted, whole=True)


def _save(
    services: Services, caller: Caller, group: str, wanted: Addresses, *, whole: bool
) -> None:
    with services.storage.reading() as unit:
        devices = told_of(unit, _offline(_nodes_of(unit, group), wanted) if whole else [])
    with services.storage.writing() as unit:
        hold_told(unit, devices)
        unit.hold(NODES)
        known = {node.name: node for node in (_nodes_of(unit, group) if whole else [])}
        changed = [_keep(unit, services, caller, node, wanted) for node in known.values()]
        new = [name for name in wanted if name not in known]
        for name in new:
            fields = {"name": name, "group": group, "address": wanted[name]}
            insert_node(unit, services, caller, fields)
        if new or any(changed):
            tell_devices(unit, services, caller, devices)
    services.bell.ring()


def _nodes_of(unit: UnitOfWork, group: str) -> list[Node]:
    key = get_group(unit, group).id
    return unit.nodes.find(Query(where={"group_id": key}, sort=(("name", True),)))


def _offline(present: list[Node], wanted: Addresses) -> list[Node]:
    """Those that drain what is at the address that they leave, and at the one where they go."""
    away = [node for node in present if not node.is_online]
    moved = [replace(node, address=wanted[node.name]) for node in away if node.name in wanted]
    return [*away, *moved]


def _keep(
    unit: UnitOfWork, services: Services, caller: Caller, node: Node, wanted: Addresses
) -> bool:
    """As the list has it; whether that is a change."""
    if node.name not in wanted:
        delete_node(unit, services, caller, node)
        return True
    address = wanted[node.name] or node.address
    if address == node.address:
        return False
    unit.nodes.replace(replace(node, address=address, updated_at=services.clock()))
    reason = f"'{node.name}': address={address}"
    add_event(unit, services, caller, "node.changed", node.id, reason=reason)
    return True
