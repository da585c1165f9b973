"""Octavia's amphorae, which are devices here."""

from operator import itemgetter

from fastapi import APIRouter, Depends, Request, Response

from libra.api.auth import OBSERVERS, OPERATORS, Asking, Given
from libra.api.listing import build_links
from libra.api.rendering import WrittenRoute
from libra.api.routers.octavia import Json, one, only_wanted
from libra.api.schemas.amphorae import show_amphora, show_traffic
from libra.api.shownrows import choose_rows
from libra.usecases import amphorae

router = APIRouter(prefix="/amphorae", tags=["amphorae"], route_class=WrittenRoute)
_NAMES = (
    *("id", "loadbalancer_id", "compute_id", "lb_network_ip", "vrrp_ip", "ha_ip", "vrrp_port_id"),
    *("ha_port_id", "cert_expiration", "cert_busy", "role", "status", "vrrp_interface", "vrrp_id"),
    *("vrrp_priority", "cached_zone", "created_at", "updated_at", "image_id", "compute_flavor"),
)


@router.get("", dependencies=[Depends(OBSERVERS)])
def list_amphorae(request: Request, services: Given) -> Json:
    """Each with the load balancer that is asked for, or the oldest that it has."""
    wanted = request.query_params.get("loadbalancer_id")
    shown = [show_amphora(item, wanted) for item in amphorae.list_amphorae(services)]
    rows, page = choose_rows(request.query_params, shown, _NAMES, request.app.state.max_page)
    url = str(request.url.replace(query=""))
    return {
        "amphorae": [only_wanted(request, dict(row)) for row in rows],
        "amphorae_links": build_links(url, request.query_params, rows, page, itemgetter("id")),
    }


@router.get("/{amphora_id}", dependencies=[Depends(OBSERVERS)])
def show_one(request: Request, amphora_id: str, services: Given) -> Json:
    """One."""
    return one(request, "amphora", show_amphora(amphorae.find_amphora(services, amphora_id)))


@router.get("/{amphora_id}/stats", dependencies=[Depends(OBSERVERS)])
def show_statistics(amphora_id: str, services: Given) -> Json:
    """A row a listener, of the listeners that it has served something of."""
    return {"amphora_stats": show_traffic(amphora_id, amphorae.count_traffic(services, amphora_id))}


@router.put(
    "/{amphora_id}/failover",
    status_code=202,
    response_class=Response,
    dependencies=[Depends(OPERATORS)],
)
def fail_over(amphora_id: str, services: Given, caller: Asking) -> Response:
    """What it has goes to other devices."""
    amphorae.fail_over(services, caller, amphora_id)
    return Response(status_code=202)


@router.put(
    "/{amphora_id}/config",
    status_code=202,
    response_class=Response,
    dependencies=[Depends(OPERATORS)],
)
def configure(amphora_id: str, services: Given, caller: Asking) -> Response:
    """It is told once more what it shall run."""
    amphorae.configure(services, caller, amphora_id)
    return Response(status_code=202)


@router.delete("/{amphora_id}", status_code=204, dependencies=[Depends(OPERATORS)])
def delete_amphora(amphora_id: str, services: Given, caller: Asking) -> Response:
    """The device is retired; it must have no load balancer any more."""
    amphorae.delete(services, caller, amphora_id)
    return Response(status_code=204)
