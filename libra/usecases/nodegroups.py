"""Groups of nodes: made, found, changed, removed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from libra.errors import AlreadyExists, Conflict, Invalid, NotFound
from libra.messages.fields import quoted
from libra.model.access import Caller
from libra.model.nodestatus import NodeGroup, is_group_name
from libra.storage.base import UnitOfWork
from libra.storage.query import EVERYTHING, Query
from libra.usecases.outbox import add_event
from libra.usecases.services import Services, new_id

Fields = Mapping[str, Any]


def find_group(services: Services, name: str) -> NodeGroup:
    """By its name, exactly; raises `NotFound`."""
    return services.storage.look(lambda unit: get_group(unit, name))


def get_group(unit: UnitOfWork, name: str) -> NodeGroup:
    """Raises `NotFound`."""
    found = _by_name(unit, name)
    if found is None:
        raise NotFound(f"cannot find the group of nodes {quoted(name)}")
    return found


def list_groups(services: Services, query: Query = EVERYTHING) -> list[NodeGroup]:
    """By creation."""
    return services.storage.look(lambda unit: unit.node_groups.find(query))


def group_names(services: Services) -> dict[str, str]:
    """By id."""
    return {group.id: group.name for group in list_groups(services)}


def ensure_group(unit: UnitOfWork, services: Services, caller: Caller, name: str) -> NodeGroup:
    """Made where it is not there yet; `NODES` is held. Raises `Invalid`."""
    return _by_name(unit, name) or _add(unit, services, caller, {"name": name})


def create_group(services: Services, caller: Caller, fields: Fields) -> NodeGroup:
    """Raises `Invalid`, `AlreadyExists`."""
    with services.storage.writing() as unit:
        if _by_name(unit, fields["name"]) is not None:
            raise AlreadyExists(
                f"cannot add the group of nodes {quoted(fields['name'])}: there is one of that name"
            )
        return _add(unit, services, caller, fields)


def _add(unit: UnitOfWork, services: Services, caller: Caller, fields: Fields) -> NodeGroup:
    group = NodeGroup(id=new_id(), created_at=services.clock(), **fields)
    if not is_group_name(group.name):
        raise Invalid(
            f"cannot name a group of nodes {quoted(group.name)}: up to 64 letters, digits and . _ -"
        )
    unit.node_groups.add(group)
    add_event(unit, services, caller, "nodegroup.added", group.id, reason=f"'{group.name}'")
    return group


def change_group(services: Services, caller: Caller, name: str, fields: Fields) -> NodeGroup:
    """Only what is given changes. Raises `NotFound`."""
    with services.storage.writing() as unit:
        group = replace(get_group(unit, name), updated_at=services.clock(), **fields)
        unit.node_groups.replace(group)
        what = ", ".join(f"{key}={value}" for key, value in sorted(fields.items()))
        reason = f"'{name}': {what}"
        add_event(unit, services, caller, "nodegroup.changed", group.id, reason=reason)
    return group


def remove_group(services: Services, caller: Caller, name: str) -> None:
    """Raises `NotFound`, and `Conflict` while it has nodes."""
    with services.storage.writing() as unit:
        group = get_group(unit, name)
        count = unit.nodes.count({"group_id": group.id})
        if count:
            raise Conflict(f"cannot remove the group of nodes {quoted(name)}: it has {count} nodes")
        unit.node_groups.remove(group.id)
        add_event(unit, services, caller, "nodegroup.removed", group.id, reason=f"'{name}'")


def _by_name(unit: UnitOfWork, name: str) -> NodeGroup | None:
    found = unit.node_groups.find(Query(where={"name": name}))
    return found[0] if found else None
