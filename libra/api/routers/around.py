"""What Octavia's clients ask besides: versions, quotas, providers, and the networks that are our address pools."""

from operator import attrgetter

from fastapi import APIRouter, Depends, Request, Response

from libra.api.auth import OPERATORS, Asking, Given
from libra.api.rendering import WrittenRoute
from libra.api.routers.octavia import Json, answer, only_wanted, page_of
from libra.api.schemas.clusters import show_version
from libra.api.schemas.networks import show_network as show_as_network
from libra.api.schemas.networks import show_subnet as show_as_subnet
from libra.api.schemas.octavia import PROVIDERS, QuotaChange
from libra.api.schemas.shown import show_quota
from libra.errors import Forbidden, Invalid, NotFound, NotImplementedHere
from libra.messages.fields import quoted
from libra.model.quota import Quota
from libra.usecases import loadbalancers, quotas
from libra.usecases.moving import DEVICES_OWN
from libra.usecases.services import AddressPool, Services

versions = APIRouter(tags=["versions"], route_class=WrittenRoute)
router = APIRouter(tags=["quotas"], route_class=WrittenRoute)
networks = APIRouter(tags=["networks"], route_class=WrittenRoute)
projects = APIRouter(tags=["projects"], route_class=WrittenRoute)
LAST_MINOR = 27
"""Of 2.x: by it clients tell whether there are tags (2.5), networks of clients (2.12), or HSTS (2.27)."""
BASES = ("/load-balancer/v2.0", "/load-balancer/v2", "/v2.0", "/v2")
"""Clients are given the root of the API or /load-balancer, and use both spellings of the version."""


def version_document(request: Request) -> Json:
    """What Octavia's clients look for before anything else; needs no token."""
    base = str(request.base_url).rstrip("/")
    root = "/load-balancer" if request.url.path.startswith("/load-balancer") else ""
    link = {"rel": "self", "href": f"{base}{root}/v2"}
    return {
        "versions": [
            {
                "id": f"v2.{minor}",
                "status": "CURRENT" if minor == LAST_MINOR else "SUPPORTED",
                "links": [link],
            }
            for minor in range(LAST_MINOR + 1)
        ]
    }


def root_document(request: Request) -> Json:
    """For clients that are given the root: Octavia's, which heed ids, and Cinder's, which heed versions."""
    documented = version_document(request)["versions"]
    octavia = [{**item, "version": "", "min_version": ""} for item in documented]
    volume = show_version(str(request.base_url).rstrip("/"))
    del volume["id"]  # by which clients of Octavia would take it for a newer version of theirs
    return {"versions": [*octavia, volume]}


ROOTS = ("/load-balancer", *(f"{base}{part}" for base in BASES for part in ("", "/lbaas")))
"""Whatever a client is given as the endpoint: it looks for the document there, with a slash or without."""

for path in ROOTS:
    for spelling in (path, f"{path}/"):
        versions.get(spelling, include_in_schema=path == "/load-balancer")(version_document)


@projects.get("/projects/{project_id}")
@projects.get("/load-balancer/projects/{project_id}", include_in_schema=False)
def show_project(project_id: str, caller: Asking) -> Json:
    """There is no list of projects: one exists where something belongs to it. For clients that look one up."""
    if not caller.sees_everything and project_id != caller.project_id:
        raise Forbidden("cannot show it: it is another project")
    return {"project": {"id": project_id, "name": project_id, "enabled": True}}


@router.get("/quotas")
def list_quotas(request: Request, services: Given, caller: Asking) -> Json:
    """Of the projects that have some of their own."""
    page = page_of(request, Quota, caller)
    found = [] if page.nothing else quotas.list_quotas(services, page.query)
    shown = [show_quota(quota) for quota in found]
    return answer(request, "quotas", found, shown, page, attrgetter("project_id"))


@router.get("/quotas/{project_id}")
def show_one(project_id: str, services: Given, caller: Asking) -> Json:
    """ "defaults" is what a project has without any of its own."""
    if not caller.sees_everything and project_id not in (caller.project_id, "defaults"):
        raise Forbidden("cannot show it: it belongs to another project")
    return {"quota": show_quota(quotas.show_quota(services, project_id))}


@router.get("/quotas/{project_id}/default")
def show_default(project_id: str, services: Given, caller: Asking) -> Json:
    """The same for every project."""
    return {"quota": show_quota(quotas.show_quota(services, "defaults"))}


@router.put("/quotas/{project_id}", status_code=202, dependencies=[Depends(OPERATORS)])
def change_quota(project_id: str, body: QuotaChange, services: Given) -> Json:
    """Null means the default again."""
    given = body.quota.given()
    numbers = {}
    for name, others in (
        ("load_balancer", ("loadbalancer",)),
        ("listener", ()),
        ("pool", ()),
        ("member", ()),
        ("health_monitor", ("healthmonitor",)),
        ("l7policy", ()),
        ("l7rule", ()),
    ):
        for spelling in (name, *others):
            if spelling in given:
                numbers[name] = given[spelling]
    if project_id == "defaults":
        raise Invalid("cannot change the defaults here: they are in the settings")
    return {"quota": show_quota(quotas.set_quota(services, project_id, **numbers))}


@router.delete(
    "/quotas/{project_id}",
    status_code=202,
    response_class=Response,
    dependencies=[Depends(OPERATORS)],
)
def reset_quota(project_id: str, services: Given) -> Response:
    """The defaults from now on; 404 where the project has them already."""
    quotas.reset_quota(services, project_id)
    return Response(status_code=202)


@router.get("/providers")
def list_providers(request: Request, caller: Asking) -> Json:
    """By name."""
    providers = [{"name": name, "description": text} for name, text in PROVIDERS.items()]
    shown = [only_wanted(request, provider) for provider in providers]
    return {"providers": shown, "providers_links": []}


@router.get("/providers/{provider}/flavor_capabilities", dependencies=[Depends(OPERATORS)])
@router.get(
    "/providers/{provider}/availability_zone_capabilities", dependencies=[Depends(OPERATORS)]
)
def list_capabilities(request: Request, provider: str, caller: Asking) -> Json:
    """There are neither flavors nor availability zones; for operators, as in Octavia."""
    if provider not in PROVIDERS:
        raise Invalid(f"Provider {quoted(provider)} is not enabled.")
    plural = request.url.path.rpartition("/")[2]
    return {plural: [], f"{plural}_links": []}


def refuse(request: Request) -> Json:
    """What Octavia sells in sizes and places."""
    raise NotImplementedHere(
        "cannot do that: there are neither flavors nor availability zones here"
    )


for plural in ("flavors", "flavorprofiles", "availabilityzones", "availabilityzoneprofiles"):
    for place in (f"/{plural}", f"/{plural}/{{key}}"):
        ways = ["GET", "POST", "PUT", "DELETE"]
        router.add_api_route(place, refuse, methods=ways, include_in_schema=False)


def _pools(services: Services) -> tuple[AddressPool, ...]:
    return services.address_pools or (AddressPool(id=DEVICES_OWN, name=DEVICES_OWN, ranges=()),)


def _matching(request: Request, services: Services) -> list[AddressPool]:
    wanted = {name: request.query_params.get(name) for name in ("id", "name")}
    return [
        pool
        for pool in _pools(services)
        if wanted["id"] in (None, pool.id) and wanted["name"] in (None, pool.name)
    ]


def _find(services: Services, key: str, kind: str) -> AddressPool:
    for pool in _pools(services):
        if pool.id == key:
            return pool
    raise NotFound(f"cannot find {kind} {quoted(key)}: no address pool has that id")


@networks.get("/subnets")
def list_subnets(request: Request, services: Given, caller: Asking) -> Json:
    """One an address pool, for clients that look it up before they create a load balancer."""
    return {"subnets": [show_as_subnet(pool) for pool in _matching(request, services)]}


@networks.get("/subnets/{subnet_id}")
def show_subnet(subnet_id: str, services: Given, caller: Asking) -> Json:
    """For clients that look for an id first."""
    return {"subnet": show_as_subnet(_find(services, subnet_id, "the subnet"))}


@networks.get("/networks")
def list_networks(request: Request, services: Given, caller: Asking) -> Json:
    """The same."""
    return {"networks": [show_as_network(pool) for pool in _matching(request, services)]}


@networks.get("/networks/{network_id}")
def show_network(network_id: str, services: Given, caller: Asking) -> Json:
    """The same."""
    return {"network": show_as_network(_find(services, network_id, "the network"))}


@networks.get("/ports/{port_id}")
def show_port(port_id: str, services: Given, caller: Asking) -> Json:
    """The one that a load balancer's vip_port_id names, for clients that look up who may reach it: everybody."""
    owner, _, _ = loadbalancers.show_briefly(services, caller, port_id)
    return {
        "port": {
            "id": owner.vip_port_id,
            "name": owner.name,
            "network_id": owner.vip_network_id,
            "fixed_ips": [{"subnet_id": owner.vip_subnet_id, "ip_address": owner.vip_address}],
            "project_id": owner.project_id,
            "tenant_id": owner.project_id,
            "admin_state_up": owner.admin_state_up,
            "security_groups": [],
            "status": "ACTIVE",
        }
    }
