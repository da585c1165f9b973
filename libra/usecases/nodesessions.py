"""How many sessions the whole fleet has at a node, asked when somebody wants to know."""

from datetime import timedelta

from libra.model.device import Device
from libra.model.draining import canonical_address
from libra.model.nodesessions import NodeSessions, read_members
from libra.model.nodestatus import Node
from libra.storage.base import UnitOfWork
from libra.storage.query import Query
from libra.usecases.nodedevices import devices_of
from libra.usecases.services import Services

WITHIN = timedelta(seconds=3)


def sessions_of(services: Services, node: Node, within: timedelta = WITHIN) -> NodeSessions:
    """Asks every device that has members there, and waits for them at most that long. A node without an address has
    none.
    """
    with services.storage.reading() as unit:
        devices = _devices(unit, node)
    at = services.clock()
    if not devices:
        return NodeSessions(at=at)
    replies = services.ask_statistics(devices, within)
    places = frozenset({(canonical_address(node.address), node.port)})
    members = (
        member
        for device in devices
        if device.id in replies
        for member in read_members(device.name, replies[device.id], places)
    )
    return NodeSessions(
        at=at,
        members=tuple(members),
        silent=tuple(device.name for device in devices if device.id not in replies),
    )


def _devices(unit: UnitOfWork, node: Node) -> list[Device]:
    keys = devices_of(unit, [node])
    return unit.devices.find(Query(where={"id": keys})) if keys else []
