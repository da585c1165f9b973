"""Pools that may have fewer devices than they have: the excess is drained."""

from collections.abc import Sequence

from libra.model.access import Caller
from libra.model.device import Device
from libra.model.devicepool import DevicePool
from libra.model.shrinking import Occupied, choose_excess
from libra.storage.base import PLACEMENT, UnitOfWork, hold_devices
from libra.storage.kinds import NO_LOAD
from libra.storage.query import Query
from libra.usecases.deviceorders import DeviceOrder, put_order
from libra.usecases.services import Services


def drain_excess(
    unit: UnitOfWork, services: Services, caller: Caller, pool: DevicePool
) -> list[Device]:
    """Those that are retired so that the pool has as many as it may, as they are then.

    Called before anything else is held. What is placed meanwhile waits, so that it comes to none of them.
    """
    if pool.max_devices is None:
        return []
    unit.hold(PLACEMENT)
    excess = find_excess(unit, pool)
    hold_devices(unit, *(device.id for device in excess))
    drained = []
    for device in excess:
        current = unit.devices.get(device.id)  # it may have moved on before it was held
        if current is not None:
            drained.append(put_order(unit, services, caller, current, DeviceOrder.RETIRE))
    return drained


def find_excess(unit: UnitOfWork, pool: DevicePool) -> Sequence[Device]:
    """Those that it would be now."""
    if pool.max_devices is None:
        return []
    return choose_excess(_occupied(unit, pool), pool.max_devices)


def _occupied(unit: UnitOfWork, pool: DevicePool) -> list[Occupied]:
    devices = unit.devices.find(Query(where={"pool_id": pool.id}))
    loads = unit.loadbalancers.loads()
    nodes = {node.node_oid for node in unit.web_nodes.find()}
    return [
        Occupied(
            device=device,
            loadbalancers=loads.get(device.id, NO_LOAD).loadbalancers,
            is_node=device.id in nodes,
        )
        for device in devices
    ]
