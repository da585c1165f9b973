"""Octavia's pools and their members."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from libra.api.auth import WRITERS, Asking, Given
from libra.api.rendering import WrittenRoute
from libra.api.routers.octavia import Json, answer, find, one, page_of
from libra.api.schemas.fields import batch_fields, member_fields, nested_pool, pool_changes
from libra.api.schemas.octavia import (
    MemberChange,
    MemberCreate,
    MembersBatch,
    PoolChange,
    PoolCreate,
)
from libra.api.schemas.shown import show_member, show_pool
from libra.model.resources.member import Member
from libra.model.resources.pool import Pool
from libra.storage.base import UnitOfWork
from libra.usecases import members, pools

router = APIRouter(prefix="/pools", tags=["pools"], route_class=WrittenRoute)


@router.get("")
def list_pools(request: Request, services: Given, caller: Asking) -> Json:
    """Those of the caller's project."""
    page = page_of(request, Pool, caller)
    with services.storage.reading() as unit:
        rows = find(unit.pools, page)
        shown = _show(unit, rows)
    return answer(request, "pools", rows, shown, page)


def _show(unit: UnitOfWork, pools: Sequence[Pool]) -> list[Json]:
    keys = [pool.id for pool in pools]
    listeners = unit.listeners.ids_by("default_pool_id", keys)
    members = unit.members.ids_by("pool_id", keys)
    monitors = unit.monitors.ids_by("pool_id", keys)
    return [
        show_pool(pool, listeners[pool.id], members[pool.id], next(iter(monitors[pool.id]), None))
        for pool in pools
    ]


@router.post("", status_code=201, dependencies=[Depends(WRITERS)])
def create_pool(body: PoolCreate, services: Given, caller: Asking) -> Json:
    """Of a load balancer, or as a listener's default; alone, or with members and a health monitor."""
    given = body.pool
    fields = nested_pool(given)
    pool = pools.create(services, caller, given.loadbalancer_id, given.listener_id, fields)
    with services.storage.reading() as unit:
        return {"pool": _show(unit, [pool])[0]}


@router.get("/{pool_id}")
def show_one(request: Request, pool_id: str, services: Given, caller: Asking) -> Json:
    """One."""
    pool = pools.show(services, caller, pool_id)
    with services.storage.reading() as unit:
        return one(request, "pool", _show(unit, [pool])[0])


@router.put("/{pool_id}", dependencies=[Depends(WRITERS)])
def change_pool(pool_id: str, body: PoolChange, services: Given, caller: Asking) -> Json:
    """All but its protocol."""
    fields = pool_changes(body.pool, pools.show(services, caller, pool_id))
    pool = pools.update(services, caller, pool_id, fields)
    with services.storage.reading() as unit:
        return {"pool": _show(unit, [pool])[0]}


@router.delete("/{pool_id}", status_code=204, dependencies=[Depends(WRITERS)])
def delete_pool(pool_id: str, services: Given, caller: Asking) -> Response:
    """With its members and its monitor."""
    pools.delete(services, caller, pool_id)
    return Response(status_code=204)


@router.get("/{pool_id}/members")
def list_members(request: Request, pool_id: str, services: Given, caller: Asking) -> Json:
    """Of this pool."""
    pools.show(services, caller, pool_id)
    page = page_of(request, Member, caller)
    where = {**page.query.where, "pool_id": pool_id}
    page = replace(page, query=replace(page.query, where=where))
    with services.storage.reading() as unit:
        rows = find(unit.members, page)
    return answer(request, "members", rows, [show_member(row) for row in rows], page)


@router.post("/{pool_id}/members", status_code=201, dependencies=[Depends(WRITERS)])
def create_member(pool_id: str, body: MemberCreate, services: Given, caller: Asking) -> Json:
    """One more."""
    fields = member_fields(body.member)
    return {"member": show_member(members.create(services, caller, pool_id, fields))}


@router.put(
    "/{pool_id}/members", status_code=202, response_class=Response, dependencies=[Depends(WRITERS)]
)
def replace_members(
    pool_id: str,
    body: MembersBatch,
    services: Given,
    caller: Asking,
    additive_only: Annotated[bool, Query(description="remove none")] = False,
) -> Response:
    """The pool has these and no others."""
    wanted = [batch_fields(item) for item in body.members]
    members.replace_all(services, caller, pool_id, wanted, additive_only=additive_only)
    return Response(status_code=202)


@router.get("/{pool_id}/members/{member_id}")
def show_one_member(
    request: Request, pool_id: str, member_id: str, services: Given, caller: Asking
) -> Json:
    """One."""
    member = members.show(services, caller, pool_id, member_id)
    return one(request, "member", show_member(member))


@router.put("/{pool_id}/members/{member_id}", dependencies=[Depends(WRITERS)])
def change_member(
    pool_id: str, member_id: str, body: MemberChange, services: Given, caller: Asking
) -> Json:
    """All but address and port."""
    fields = member_fields(body.member)
    return {"member": show_member(members.update(services, caller, pool_id, member_id, fields))}


@router.delete("/{pool_id}/members/{member_id}", status_code=204, dependencies=[Depends(WRITERS)])
def delete_member(pool_id: str, member_id: str, services: Given, caller: Asking) -> Response:
    """It drains first."""
    members.delete(services, caller, pool_id, member_id)
    return Response(status_code=204)
