"""Octavia's health monitors."""

from fastapi import APIRouter, Depends, Request, Response

from libra.api.auth import WRITERS, Asking, Given
from libra.api.rendering import WrittenRoute
from libra.api.routers.octavia import Json, answer, find, one, page_of
from libra.api.schemas.fields import monitor_fields
from libra.api.schemas.octavia import MonitorChange, MonitorCreate
from libra.api.schemas.shown import show_monitor
from libra.model.resources.monitor import HealthMonitor
from libra.usecases import monitors

router = APIRouter(prefix="/healthmonitors", tags=["health monitors"], route_class=WrittenRoute)


@router.get("")
def list_monitors(request: Request, services: Given, caller: Asking) -> Json:
    """Those of the caller's project."""
    page = page_of(request, HealthMonitor, caller)
    with services.storage.reading() as unit:
        rows = find(unit.monitors, page)
    return answer(request, "healthmonitors", rows, [show_monitor(row) for row in rows], page)


@router.post("", status_code=201, dependencies=[Depends(WRITERS)])
def create_monitor(body: MonitorCreate, services: Given, caller: Asking) -> Json:
    """For a pool that has none."""
    given = body.healthmonitor
    fields = monitor_fields(given, given.type)
    fields.pop("pool_id", None)
    monitor = monitors.create(services, caller, given.pool_id, fields)
    return {"healthmonitor": show_monitor(monitor)}


@router.get("/{monitor_id}")
def show_one(request: Request, monitor_id: str, services: Given, caller: Asking) -> Json:
    """One."""
    return one(request, "healthmonitor", show_monitor(monitors.show(services, caller, monitor_id)))


@router.put("/{monitor_id}", dependencies=[Depends(WRITERS)])
def change_monitor(monitor_id: str, body: MonitorChange, services: Given, caller: Asking) -> Json:
    """All but its type."""
    before = monitors.show(services, caller, monitor_id)
    fields = monitor_fields(body.healthmonitor, before.type)
    monitor = monitors.update(services, caller, monitor_id, fields)
    return {"healthmonitor": show_monitor(monitor)}


@router.delete("/{monitor_id}", status_code=204, dependencies=[Depends(WRITERS)])
def delete_monitor(monitor_id: str, services: Given, caller: Asking) -> Response:
    """Nothing is checked from then on."""
    monitors.delete(services, caller, monitor_id)
    return Response(status_code=204)
