"""Nodes whose health is reported: made, found, changed, removed."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from libra.errors import AlreadyExists, Invalid, NotFound
from libra.messages.fields import quoted
from libra.model.access import Caller
from libra.model.nodestatus import DEFAULT_GROUP, Node, is_node_name
from libra.storage.base import UnitOfWork
from libra.storage.query import EVERYTHING, Query
from libra.usecases.nodedevices import hold_told, reporters, tell_devices, told_of
from libra.usecases.nodegroups import ensure_group, get_group
from libra.usecases.outbox import add_event
from libra.usecases.services import Services, new_id

Fields = Mapping[str, Any]
NODES = "nodes"
"""The name to hold while nodes or their groups are written; after the locks of devices."""


def find_node(services: Services, name: str) -> Node:
    """By its name, exactly; raises `NotFound`."""
    return services.storage.look(lambda unit: get_node(unit, name))


def get_node(unit: UnitOfWork, name: str) -> Node:
    """Raises `NotFound`."""
    found = unit.nodes.find(Query(where={"name": name}))
    if not found:
        raise NotFound(f"cannot find the node {quoted(name)}")
    return found[0]


def get_nodes(unit: UnitOfWork, names: Iterable[str]) -> dict[str, Node]:
    """By their names; raises `NotFound` where one is missing."""
    wanted = sorted(set(names))
    found = {node.name: node for node in unit.nodes.find(Query(where={"name": wanted}))}
    missing = [name for name in wanted if name not in found]
    if missing:
        raise NotFound(f"cannot find the node {quoted(missing[0])}")
    return found


def list_nodes(services: Services, query: Query = EVERYTHING) -> list[Node]:
    """By creation."""
    return services.storage.look(lambda unit: unit.nodes.find(query))


def create_node(services: Services, caller: Caller, fields: Fields) -> Node:
    """Online, in `group`, which is made where it is not there yet. Raises `Invalid`, `AlreadyExists`."""
    devices = services.storage.look(reporters)
    with services.storage.writing() as unit:
        hold_told(unit, devices)
        unit.hold(NODES)
        node = insert_node(unit, services, caller, fields)
        tell_devices(unit, services, caller, devices)
    services.bell.ring()
    return node


def insert_node(unit: UnitOfWork, services: Services, caller: Caller, fields: Fields) -> Node:
    """As `create_node`; nobody is told."""
    given = dict(fields)
    name, group = given.pop("name"), given.pop("group", DEFAULT_GROUP)
    if not is_node_name(name):
        raise Invalid(f"cannot name a node {quoted(name)}: up to 128 letters, digits and . _ : @ -")
    _ensure_port_has_address(given.get("address", ""), given.get("port"))
    if unit.nodes.count({"name": name}):
        raise AlreadyExists(f"cannot add the node {quoted(name)}: there is one of that name")
    owner = ensure_group(unit, services, caller, group)
    now = services.clock()
    node = Node(
        id=new_id(),
        name=name,
        group_id=owner.id,
        since=now,
        author=caller.name,
        created_at=now,
        **given,
    )
    unit.nodes.add(node)
    reason = f"'{name}' of the group '{owner.name}'"
    add_event(unit, services, caller, "node.added", node.id, reason=reason)
    return node


def change_node(services: Services, caller: Caller, name: str, fields: Fields) -> Node:
    """Group, address and port; only what is given changes. Raises `NotFound`, `Invalid`."""
    given = dict(fields)
    group = given.pop("group", None)
    now = services.clock()
    changed = replace(find_node(services, name), **given)
    places = [find_node(services, name), changed]
    devices = services.storage.look(lambda unit: told_of(unit, places))
    with services.storage.writing() as unit:
        hold_told(unit, devices)
        unit.hold(NODES)
        before = get_node(unit, name)
        changed = replace(before, updated_at=now, **given)
        _ensure_port_has_address(changed.address, changed.port)
        if group is not None:
            changed = replace(changed, group_id=get_group(unit, group).id)
        unit.nodes.replace(changed)
        what = ", ".join(f"{key}={value}" for key, value in sorted(fields.items()))
        add_event(unit, services, caller, "node.changed", changed.id, reason=f"'{name}': {what}")
        moved = not before.is_online and _place(before) != _place(changed)
        if moved or before.group_id != changed.group_id:
            tell_devices(unit, services, caller, devices)
    services.bell.ring()
    return changed


def remove_node(services: Services, caller: Caller, name: str) -> None:
    """Its mark goes with it: what was drained serves again. Raises `NotFound`."""
    found = find_node(services, name)
    devices = services.storage.look(lambda unit: told_of(unit, [found]))
    with services.storage.writing() as unit:
        hold_told(unit, devices)
        unit.hold(NODES)
        node = get_node(unit, name)
        delete_node(unit, services, caller, node)
        tell_devices(unit, services, caller, reporters(unit) if node.is_online else devices)
    services.bell.ring()


def delete_node(unit: UnitOfWork, services: Services, caller: Caller, node: Node) -> None:
    """As `remove_node`; nobody is told."""
    unit.nodes.remove(node.id)
    add_event(unit, services, caller, "node.removed", node.id, reason=f"'{node.name}'")


def _place(node: Node) -> tuple[str, int | None]:
    return node.address, node.port


def _ensure_port_has_address(address: str, port: int | None) -> None:
    if port is not None and not address:
        raise Invalid(f"cannot give a node the port {port} without an address")
