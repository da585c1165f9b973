"""Web clusters: /v1/webclusters, what crossbar's procedures do and what they leave out.

Contract: the seed `webcluster.txt`; objects have its fields, errors its names.
"""

import json
from enum import Enum
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from libra.api.auth import EVERYBODY, WRITERS, Asking, Given
from libra.api.namedfaults import NamedFaults
from libra.api.routers.octavia import Json
from libra.api.schemas.shown import show_fields
from libra.api.schemas.webclusters import (
    SEED_FIELDS,
    WebClusterBody,
    WebClusterChange,
    WebNodeBody,
    WebNodeChange,
    WebServiceBody,
    WebServiceChange,
    tell_notes,
)
from libra.model.access import Caller
from libra.model.webcluster import StoredWebService, WebCluster, WebClusterEvent
from libra.usecases.webclusters import clusters, nodes
from libra.usecases.webclusters import services as webservices
from libra.usecases.webclusters.nodes import Member

router = APIRouter(prefix="/v1/webclusters", tags=["web clusters"], route_class=NamedFaults)
READ, WRITE = [Depends(EVERYBODY)], [Depends(WRITERS)]
ReturnNames = Annotated[bool, Query(description="names in place of ids")]
Details = Annotated[bool, Query(description="whole objects in place of ids")]
_NODE = (
    *("cluster_oid", "node_oid", "parallel", "standby", "active", "promoted_for", "since"),
    *("revision", "confirmed_revision", "confirmed_active", "answers", "good_since", "refused"),
)
_OWN = ("project_id", "revision", "good_revision", "reason", "disabled", "disabled_reason")


class Order(Enum):
    """What a caller may have a cluster do."""

    START = "start"
    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"
    RESTART = "restart"


def _show(cluster: WebCluster) -> Json:
    """The key is shown to nobody."""
    return {
        **show_fields(cluster, SEED_FIELDS),
        "tls_key": None,
        "tls_key_set": cluster.tls_key is not None,
        **show_fields(cluster, _OWN),
        "created_at": show_fields(cluster, ("created_at",))["created_at"],
        "notes": tell_notes(cluster),
    }


def _show_node(member: Member) -> Json:
    """A place that a device has in a cluster, and how it does there."""
    own = {"name": member.device.name, "status": member.status}
    return {**show_fields(member.node, _NODE), **own}


def _show_service(service: StoredWebService) -> Json:
    """What is the type's own stands beside what all have."""
    common = ("oid", "webcluster_oid", "path", "type", "label", "description", "tags")
    return {**json.loads(service.config), **show_fields(service, common)}


@router.get("", dependencies=READ)
def list_webclusters(
    services: Given, caller: Asking, return_names: ReturnNames = False, details: Details = False
) -> Json:
    """Those of the caller's project: ids by creation, or names in order."""
    found = clusters.list_clusters(services, caller)
    if details:
        return {"webclusters": [_show(item) for item in found]}
    if return_names:
        return {"webclusters": sorted(item.name for item in found)}
    return {"webclusters": [item.oid for item in found]}


@router.post("", status_code=201, dependencies=WRITE)
def create_webcluster(body: WebClusterBody, services: Given, caller: Asking) -> Json:
    """STOPPED, without nodes and services."""
    made = clusters.create_cluster(services, caller, body.project_id, body.fields())
    return {"webcluster": _show(made.cluster)}


@router.get("/{webcluster_id}", dependencies=READ)
def show_webcluster(webcluster_id: str, services: Given, caller: Asking) -> Json:
    """By id or name."""
    return {"webcluster": _show(clusters.show_cluster(services, caller, webcluster_id))}


@router.patch("/{webcluster_id}", dependencies=WRITE)
def change_webcluster(
    webcluster_id: str, body: WebClusterChange, services: Given, caller: Asking
) -> Json:
    """Also while it runs: on every node, or on none."""
    changed = clusters.change_cluster(services, caller, webcluster_id, body.fields())
    return {"webcluster": _show(changed.cluster)}


@router.delete("/{webcluster_id}", dependencies=WRITE)
def delete_webcluster(webcluster_id: str, services: Given, caller: Asking) -> Json:
    """Only a STOPPED one; with its services. The answer is what it was."""
    return {"webcluster": _show(clusters.delete_cluster(services, caller, webcluster_id))}


# Nodes.


@router.get("/{webcluster_id}/nodes", dependencies=READ)
def list_webcluster_nodes(
    webcluster_id: str,
    services: Given,
    caller: Asking,
    return_names: ReturnNames = False,
    details: Details = False,
    filter_by_status: Annotated[str | None, Query(description="online or offline")] = None,
) -> Json:
    """Ids of devices, or their names, in the order of the names."""
    found = nodes.list_nodes(services, caller, webcluster_id, filter_by_status)
    if details:
        return {"nodes": [_show_node(item) for item in found]}
    if return_names:
        return {"nodes": [item.device.name for item in found]}
    return {"nodes": [item.device.id for item in found]}


@router.post("/{webcluster_id}/nodes", status_code=201, dependencies=WRITE)
def add_webcluster_node(
    webcluster_id: str, body: WebNodeBody, services: Given, caller: Asking
) -> Json:
    """A device, by id or name; one that is a node already is changed."""
    return _put_node(services, caller, webcluster_id, body.node, body)


@router.get("/{webcluster_id}/nodes/{node_id}", dependencies=READ)
def show_webcluster_node(webcluster_id: str, node_id: str, services: Given, caller: Asking) -> Json:
    """By the device's id or name."""
    return {"node": _show_node(nodes.show_node(services, caller, webcluster_id, node_id))}


@router.put("/{webcluster_id}/nodes/{node_id}", dependencies=WRITE)
def put_webcluster_node(
    webcluster_id: str, node_id: str, body: WebNodeChange, services: Given, caller: Asking
) -> Json:
    """Added, or changed."""
    return _put_node(services, caller, webcluster_id, node_id, body)


def _put_node(
    services: Given, caller: Caller, webcluster_id: str, node_id: str, body: WebNodeChange
) -> Json:
    parallel, standby = body.parallel, bool(body.standby)
    added = nodes.add_node(
        services, caller, webcluster_id, node_id, parallel=parallel, standby=standby
    )
    return {"node": _show_node(added)}


@router.delete("/{webcluster_id}/nodes/{node_id}", dependencies=WRITE)
def remove_webcluster_node(
    webcluster_id: str, node_id: str, services: Given, caller: Asking
) -> Json:
    """It lets go of the cluster. The answer is what it was."""
    return {"node": _show_node(nodes.remove_node(services, caller, webcluster_id, node_id))}


# Services.


@router.get("/{webcluster_id}/services", dependencies=READ)
def list_webcluster_services(
    webcluster_id: str,
    services: Given,
    caller: Asking,
    prefix: Annotated[str | None, Query(description="a path: it, and those below it")] = None,
    details: Details = False,
) -> Json:
    """Ids by path."""
    found = webservices.list_services(services, caller, webcluster_id, prefix)
    if details:
        return {"services": [_show_service(item) for item in found]}
    return {"services": {item.path: item.oid for item in found}}


@router.post("/{webcluster_id}/services", status_code=201, dependencies=WRITE)
def add_webcluster_service(
    webcluster_id: str, body: WebServiceBody, services: Given, caller: Asking
) -> Json:
    """On a path that no other has; also while the cluster runs."""
    added = webservices.add_service(services, caller, webcluster_id, body.path, body.given())
    return {"service": _show_service(added)}


@router.get("/{webcluster_id}/services/by-path", dependencies=READ)
def show_webcluster_service_by_path(
    webcluster_id: str,
    services: Given,
    caller: Asking,
    path: Annotated[str, Query(description="in any spelling")] = "/",
) -> Json:
    """The one on exactly this path."""
    return {
        "service": _show_service(webservices.find_service(services, caller, webcluster_id, path))
    }


@router.get("/{webcluster_id}/services/{service_id}", dependencies=READ)
def show_webcluster_service(
    webcluster_id: str, service_id: str, services: Given, caller: Asking
) -> Json:
    """By id."""
    found = webservices.show_service(services, caller, webcluster_id, service_id)
    return {"service": _show_service(found)}


@router.patch("/{webcluster_id}/services/{service_id}", dependencies=WRITE)
def change_webcluster_service(
    webcluster_id: str, service_id: str, body: WebServiceChange, services: Given, caller: Asking
) -> Json:
    """Only what is given; also while the cluster runs."""
    changed = webservices.change_service(services, caller, webcluster_id, service_id, body.given())
    return {"service": _show_service(changed)}


@router.delete("/{webcluster_id}/services/{service_id}", dependencies=WRITE)
def remove_webcluster_service(
    webcluster_id: str, service_id: str, services: Given, caller: Asking
) -> Json:
    """Also while the cluster runs. The answer is what it was."""
    removed = webservices.remove_service(services, caller, webcluster_id, service_id)
    return {"service": _show_service(removed)}


# Orders: last, for what stands behind a slash there may be anything.


@router.post("/{webcluster_id}/{action}", dependencies=WRITE)
def order_webcluster(webcluster_id: str, action: Order, services: Given, caller: Asking) -> Json:
    """What becomes of it then, `status` tells, and events do."""
    event = WebClusterEvent(action.value)
    ordered = clusters.order_cluster(services, caller, webcluster_id, event)
    shown = show_fields(ordered, ("oid", "status", "changed"))
    return {"webcluster": {**shown, "who": _who(caller)}}


def _who(caller: Caller) -> Json:
    """There are no sessions; the request's id is what logs and events have."""
    return {
        "session": caller.request_id,
        "authid": caller.name,
        "authrole": caller.role.value,
    }
