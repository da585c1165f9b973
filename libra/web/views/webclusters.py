"""Web clusters, and one of them with its nodes and services."""

from collections import defaultdict

from libra.model.webcluster import WebClusterNode
from libra.storage.query import Query
from libra.usecases.webclusters import clusters, nodes
from libra.usecases.webclusters.snapshots import find_cluster, load
from libra.web.pages import Context, Look


def view(look: Look) -> Context:
    """With how many nodes each has, and how many of these answer."""
    found = clusters.list_clusters(look.services, look.caller)
    keys = [item.oid for item in found]
    by_cluster: dict[str, list[WebClusterNode]] = defaultdict(list)
    if keys:
        with look.services.storage.reading() as unit:
            for node in unit.web_nodes.find(Query(where={"cluster_oid": keys})):
                by_cluster[node.cluster_oid].append(node)
    return {"now": look.services.clock(), "clusters": found, "nodes": by_cluster}


def view_one(look: Look) -> Context:
    """By name or id; raises `NotFound`, `Forbidden`."""
    with look.services.storage.reading() as unit:
        snapshot = load(unit, find_cluster(unit, look.caller, look.key))
        members = nodes.members_of(unit, snapshot.nodes)
    return {
        "now": look.services.clock(),
        "cluster": snapshot.cluster,
        "members": members,
        "web_services": snapshot.services,
    }
