"""Octavia's listeners."""

from collections.abc import Sequence

from fastapi import APIRouter, Depends, Request, Response

from libra.api.auth import WRITERS, Asking, Given
from libra.api.rendering import WrittenRoute
from libra.api.routers.octavia import Json, answer, find, one, page_of
from libra.api.schemas.fields import listener_fields, nested_listener
from libra.api.schemas.octavia import ListenerChange, ListenerCreate
from libra.api.schemas.shown import show_listener, show_stats
from libra.model.resources.listener import Listener
from libra.storage.base import UnitOfWork
from libra.usecases import listeners

router = APIRouter(prefix="/listeners", tags=["listeners"], route_class=WrittenRoute)


def _show(unit: UnitOfWork, listeners: Sequence[Listener]) -> list[Json]:
    policies = unit.l7policies.ids_by("listener_id", [item.id for item in listeners])
    return [show_listener(item, policies[item.id]) for item in listeners]


@router.get("")
def list_listeners(request: Request, services: Given, caller: Asking) -> Json:
    """Those of the caller's project."""
    page = page_of(request, Listener, caller)
    with services.storage.reading() as unit:
        rows = find(unit.listeners, page)
        shown = _show(unit, rows)
    return answer(request, "listeners", rows, shown, page)


@router.post("", status_code=201, dependencies=[Depends(WRITERS)])
def create_listener(body: ListenerCreate, services: Given, caller: Asking) -> Json:
    """For a load balancer that is there; also with a pool of its own, and L7 policies."""
    given = body.listener
    fields = nested_listener(given)
    fields.pop("loadbalancer_id", None)
    listener = listeners.create(services, caller, given.loadbalancer_id, fields)
    with services.storage.reading() as unit:
        return {"listener": _show(unit, [listener])[0]}


@router.get("/{listener_id}")
def show_one(request: Request, listener_id: str, services: Given, caller: Asking) -> Json:
    """One."""
    listener = listeners.show(services, caller, listener_id)
    with services.storage.reading() as unit:
        return one(request, "listener", _show(unit, [listener])[0])


@router.put("/{listener_id}", dependencies=[Depends(WRITERS)])
def change_listener(
    listener_id: str, body: ListenerChange, services: Given, caller: Asking
) -> Json:
    """All but protocol and port."""
    before = listeners.show(services, caller, listener_id)
    fields = listener_fields(body.listener, before.protocol)
    listener = listeners.update(services, caller, listener_id, fields)
    with services.storage.reading() as unit:
        return {"listener": _show(unit, [listener])[0]}


@router.delete("/{listener_id}", status_code=204, dependencies=[Depends(WRITERS)])
def delete_listener(listener_id: str, services: Given, caller: Asking) -> Response:
    """Its pool stays."""
    listeners.delete(services, caller, listener_id)
    return Response(status_code=204)


@router.get("/{listener_id}/stats")
def show_statistics(listener_id: str, services: Given, caller: Asking) -> Json:
    """What it has served so far."""
    listeners.show(services, caller, listener_id)
    with services.storage.reading() as unit:
        counters = unit.counters.of_listener(listener_id)
    return {"stats": show_stats([counters] if counters else [])}
