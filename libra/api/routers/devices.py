"""Devices and device pools."""

from fastapi import APIRouter, Depends, Request, Response

from libra.api.auth import OBSERVERS, OPERATORS, Asking, Given
from libra.api.listing import build_links
from libra.api.rendering import WrittenRoute
from libra.api.routers.octavia import Json, page_of
from libra.api.routers.v1 import show_job_record
from libra.api.schemas.shown import show_fields
from libra.api.schemas.v1 import DeviceBody, DevicePoolBody, DevicePoolChange
from libra.model.device import Device
from libra.model.devicepool import DevicePool
from libra.model.job import JobAction
from libra.usecases import devicepools, devices
from libra.usecases.deviceorders import DeviceOrder

router = APIRouter(prefix="/v1", route_class=WrittenRoute)
_DEVICE = (
    *("id", "name", "address", "pool_id", "state", "reason", "generation", "acknowledged"),
    *("digest", "protocol", "release", "proxy", "created_at", "first_seen", "last_seen", "misses"),
    *("failing_since", "retiring", "shutting_down", "stopped", "announced_at", "started_at"),
)
_POOL = (
    *("id", "name", "provider", "auto_enroll", "shared", "min_spare", "probe_seconds"),
    *("max_parallel_failovers", "brake_percent", "brake_since", "brake_reason"),
    *("disabled", "disabled_reason", "max_devices", "priority"),
    *("created_at", "updated_at"),
)


def _show_device(device: Device, counts: dict[str, int], pools: dict[str, str]) -> Json:
    return {
        **show_fields(device, _DEVICE),
        "pool": pools.get(device.pool_id, device.pool_id),
        "loadbalancers": counts.get(device.id, 0),
    }


def _show_one(services: Given, device: Device) -> Json:
    counts = devices.count_loadbalancers(services)
    return {"device": _show_device(device, counts, devicepools.pool_names(services))}


@router.get("/devices", dependencies=[Depends(OBSERVERS)], tags=["devices"])
def list_devices(request: Request, services: Given, caller: Asking) -> Json:
    """With how many load balancers each has."""
    page = page_of(request, Device, caller, strict=True)
    counts = devices.count_loadbalancers(services)
    pools = devicepools.pool_names(services)
    found = [] if page.nothing else devices.list_devices(services, page.query)
    links = build_links(str(request.url.replace(query="")), request.query_params, found, page)
    shown = [_show_device(item, counts, pools) for item in found]
    return {"devices": shown, "devices_links": links}


@router.post("/devices", status_code=201, dependencies=[Depends(OPERATORS)], tags=["devices"])
def add_device(body: DeviceBody, services: Given, caller: Asking) -> Json:
    """By the name of its worker."""
    added = devices.add_device(services, caller, body.name, body.address, body.pool)
    return _show_one(services, added)


@router.get("/devices/{device_id}", dependencies=[Depends(OBSERVERS)], tags=["devices"])
def show_device(device_id: str, services: Given) -> Json:
    """By id or name."""
    return _show_one(services, devices.find_device(services, device_id))


@router.delete(
    "/devices/{device_id}", status_code=204, dependencies=[Depends(OPERATORS)], tags=["devices"]
)
def remove_device(device_id: str, services: Given, caller: Asking) -> Response:
    """Only one without load balancers."""
    devices.remove_device(services, caller, device_id)
    return Response(status_code=204)


@router.post(
    "/devices/{device_id}/discover",
    status_code=202,
    dependencies=[Depends(OPERATORS)],
    tags=["devices"],
)
def discover_device(device_id: str, services: Given, caller: Asking) -> Json:
    """A DISCOVER job; its reply is the job's."""
    return show_job_record(devices.ask_device(services, caller, device_id, JobAction.DISCOVER))


@router.post(
    "/devices/{device_id}/stats",
    status_code=202,
    dependencies=[Depends(OPERATORS)],
    tags=["devices"],
)
def ask_statistics(device_id: str, services: Given, caller: Asking) -> Json:
    """A STATS job; its reply is the job's."""
    return show_job_record(devices.ask_device(services, caller, device_id, JobAction.STATS))


@router.post(
    "/devices/{device_id}/{order}",
    status_code=202,
    dependencies=[Depends(OPERATORS)],
    tags=["devices"],
)
def order_device(device_id: str, order: DeviceOrder, services: Given, caller: Asking) -> Json:
    """Approve, evacuate, retire. What it has is moved afterwards, which its `loadbalancers` show."""
    return _show_one(services, devices.order_device(services, caller, device_id, order))


# Device pools.


def _show_pool(pool: DevicePool, counts: dict[str, devicepools.PoolCounts]) -> Json:
    mine = counts[pool.id]
    states = {state.value: count for state, count in sorted(mine.states.items(), key=str)}
    return {
        **show_fields(pool, _POOL),
        "devices": mine.devices,
        "spare": mine.spare,
        "states": states,
    }


def _show_one_pool(services: Given, pool: DevicePool) -> Json:
    return {"device_pool": _show_pool(pool, devicepools.count_devices(services, [pool]))}


@router.get("/device-pools", dependencies=[Depends(OBSERVERS)], tags=["device pools"])
def list_pools(request: Request, services: Given, caller: Asking) -> Json:
    """With how many devices each has, and in which states."""
    page = page_of(request, DevicePool, caller, strict=True)
    found = [] if page.nothing else devicepools.list_pools(services, page.query)
    counts = devicepools.count_devices(services, found)
    links = build_links(str(request.url.replace(query="")), request.query_params, found, page)
    shown = [_show_pool(pool, counts) for pool in found]
    return {"device_pools": shown, "device_pools_links": links}


@router.post(
    "/device-pools", status_code=201, dependencies=[Depends(OPERATORS)], tags=["device pools"]
)
def create_pool(body: DevicePoolBody, services: Given, caller: Asking) -> Json:
    """A new one, without devices."""
    return _show_one_pool(services, devicepools.create_pool(services, caller, body.given()))


@router.get("/device-pools/{pool_id}", dependencies=[Depends(OBSERVERS)], tags=["device pools"])
def show_pool(pool_id: str, services: Given) -> Json:
    """By id or name."""
    return _show_one_pool(services, devicepools.find_pool(services, pool_id))


@router.put("/device-pools/{pool_id}", dependencies=[Depends(OPERATORS)], tags=["device pools"])
def change_pool(pool_id: str, body: DevicePoolChange, services: Given, caller: Asking) -> Json:
    """Only what is given changes."""
    changed = devicepools.change_pool(services, caller, pool_id, body.given())
    return _show_one_pool(services, changed)


@router.delete(
    "/device-pools/{pool_id}",
    status_code=204,
    dependencies=[Depends(OPERATORS)],
    tags=["device pools"],
)
def remove_pool(pool_id: str, services: Given, caller: Asking) -> Response:
    """Only one without devices."""
    devicepools.remove_pool(services, caller, pool_id)
    return Response(status_code=204)
