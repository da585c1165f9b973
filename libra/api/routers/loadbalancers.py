"""Octavia's load balancers."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from libra.api.auth import OPERATORS, WRITERS, Asking, Given
from libra.api.rendering import WrittenRoute
from libra.api.routers.octavia import Json, answer, find, one, page_of, project_of
from libra.api.schemas.fields import loadbalancer_fields, nested_listener, nested_pool
from libra.api.schemas.octavia import PROVIDERS, LoadBalancerChange, LoadBalancerCreate
from libra.api.schemas.shown import show_loadbalancer, show_stats, show_statuses, show_whole
from libra.errors import Invalid
from libra.messages.fields import quoted
from libra.model.resources.loadbalancer import LoadBalancer
from libra.usecases import loadbalancers
from libra.usecases.loadbalancers import Vip

router = APIRouter(prefix="/loadbalancers", tags=["load balancers"], route_class=WrittenRoute)


@router.get("")
def list_loadbalancers(request: Request, services: Given, caller: Asking) -> Json:
    """Those of the caller's project; of every project for who may see them."""
    page = page_of(request, LoadBalancer, caller)
    with services.storage.reading() as unit:
        rows = find(unit.loadbalancers, page)
        listeners, pools = loadbalancers.part_ids(unit, [row.id for row in rows])
    shown = [show_loadbalancer(row, listeners[row.id], pools[row.id]) for row in rows]
    return answer(request, "loadbalancers", rows, shown, page)


@router.post("", status_code=201, dependencies=[Depends(WRITERS)])
def create_loadbalancer(body: LoadBalancerCreate, services: Given, caller: Asking) -> Json:
    """Alone, or with listeners, pools, members and health monitors."""
    given = body.loadbalancer
    if given.provider not in (None, *PROVIDERS):
        raise Invalid(f"Provider {quoted(given.provider)} is not enabled.")
    pool = given.vip_subnet_id or given.vip_network_id
    if given.vip_port_id is not None:
        # An address of our own choice would be another than the client expects.
        raise Invalid(f"Port {given.vip_port_id} not found: there are no ports, name a subnet")
    if pool is None and services.address_pools:
        raise Invalid(
            "Validation failure: VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id."
        )
    tree = loadbalancers.create(
        services,
        caller,
        project_of(given),
        Vip(address=given.vip_address, pool=pool, network=given.vip_network_id),
        loadbalancer_fields(given),
        [nested_listener(item) for item in given.listeners or ()],
        [nested_pool(item) for item in given.pools or ()],
    )
    return {"loadbalancer": show_whole(tree)}


@router.get("/{loadbalancer_id}")
def show_one(request: Request, loadbalancer_id: str, services: Given, caller: Asking) -> Json:
    """One."""
    shown = show_loadbalancer(*loadbalancers.show_briefly(services, caller, loadbalancer_id))
    return one(request, "loadbalancer", shown)


@router.put("/{loadbalancer_id}", dependencies=[Depends(WRITERS)])
def change_loadbalancer(
    loadbalancer_id: str, body: LoadBalancerChange, services: Given, caller: Asking
) -> Json:
    """Name, description, whether it serves, tags."""
    fields = loadbalancer_fields(body.loadbalancer)
    tree = loadbalancers.update(services, caller, loadbalancer_id, fields)
    listeners = [item.id for item in tree.listeners]
    pools = [item.pool.id for item in tree.pools]
    return {"loadbalancer": show_loadbalancer(tree.loadbalancer, listeners, pools)}


@router.delete("/{loadbalancer_id}", status_code=204, dependencies=[Depends(WRITERS)])
def delete_loadbalancer(
    loadbalancer_id: str,
    services: Given,
    caller: Asking,
    cascade: Annotated[bool, Query(description="delete its parts, too")] = False,
) -> Response:
    """It is gone once its device has let it go."""
    loadbalancers.delete(services, caller, loadbalancer_id, cascade=cascade)
    return Response(status_code=204)


@router.get("/{loadbalancer_id}/status")
@router.get("/{loadbalancer_id}/statuses")
def show_status(loadbalancer_id: str, services: Given, caller: Asking) -> Json:
    """Both statuses of everything."""
    tree = loadbalancers.show(services, caller, loadbalancer_id)
    return {"statuses": show_statuses(tree)}


@router.get("/{loadbalancer_id}/stats")
def show_statistics(loadbalancer_id: str, services: Given, caller: Asking) -> Json:
    """What it has served so far."""
    loadbalancers.show(services, caller, loadbalancer_id)
    with services.storage.reading() as unit:
        return {"stats": show_stats(unit.counters.of_loadbalancer(loadbalancer_id))}


@router.put(
    "/{loadbalancer_id}/failover",
    status_code=202,
    response_class=Response,
    dependencies=[Depends(OPERATORS)],
)
def fail_over(loadbalancer_id: str, services: Given, caller: Asking) -> Response:
    """Send everything to its device anew; for operators, as in Octavia."""
    loadbalancers.fail_over(services, caller, loadbalancer_id)
    return Response(status_code=202)
