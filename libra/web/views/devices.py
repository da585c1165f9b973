"""Devices, and where they come from."""

from libra.errors import Invalid
from libra.messages.fields import quoted
from libra.model.device import Device, DeviceState
from libra.storage.query import Query
from libra.usecases import devicepools, devices
from libra.web.pages import Context, Look

MOST = 500
MOST_JOBS = 20
_TROUBLE_FIRST = (
    DeviceState.ERROR,
    DeviceState.ANNOUNCED,
    DeviceState.BUILDING,
    DeviceState.DRAINING,
    DeviceState.ASSIGNED,
    DeviceState.SPARE,
    DeviceState.RETIRED,
)


def view(look: Look) -> Context:
    """Those that need somebody's eye first; of one pool or in one state where that is asked for."""
    pools = devicepools.list_pools(look.services)
    names = {pool.id: pool.name for pool in pools}
    found = devices.list_devices(look.services, _query(look, {v: k for k, v in names.items()}))
    return {
        "now": look.services.clock(),
        "pools": pools,
        "pool_names": names,
        "counts": devicepools.count_devices(look.services, pools),
        "devices": sorted(found[:MOST], key=_order),
        "more": len(found) > MOST,
        "loads": devices.count_loadbalancers(look.services),
        "states": [state.value for state in DeviceState],
        "asked": {"pool": look.asked.get("pool", ""), "state": look.asked.get("state", "")},
    }


def _query(look: Look, pools: dict[str, str]) -> Query:
    where: dict[str, object] = {}
    pool, state = look.asked.get("pool", ""), look.asked.get("state", "")
    if pool:
        where["pool_id"] = pools.get(pool, pool)
    if state:
        try:
            where["state"] = DeviceState(state)
        except ValueError:
            raise Invalid(f"cannot show devices in the state {quoted(state)}") from None
    return Query(where=where, limit=MOST + 1)


def _order(device: Device) -> tuple[int, str]:
    return _TROUBLE_FIRST.index(device.state), device.name


def view_one(look: Look) -> Context:
    """By name or id, with what it has and what it was told last."""
    device = devices.find_device(look.services, look.key)
    with look.services.storage.reading() as unit:
        pool = unit.device_pools.get(device.pool_id)
        balancers = unit.loadbalancers.find(Query(where={"device_id": device.id}, limit=MOST))
        jobs = unit.jobs.find(
            Query(where={"device_id": device.id}, sort=(("created_at", False),), limit=MOST_JOBS)
        )
    return {
        "now": look.services.clock(),
        "device": device,
        "pool": pool,
        "balancers": balancers,
        "jobs": jobs,
    }
