"""The ports of web clusters: chosen where none was given, and never two clusters' on one node."""

from libra.errors import AlreadyExists, PoolExhausted
from libra.model.webcluster import WebCluster, WebClusterState
from libra.storage.base import UnitOfWork
from libra.storage.query import Query
from libra.usecases.webclusters.snapshots import Snapshot

_WILD = (None, "0.0.0.0", "::")  # noqa: S104 - what they mean is asked here


def hold_ports(unit: UnitOfWork) -> None:
    """To the end of the transaction nobody else takes one."""
    unit.hold("webcluster ports")


def choose_port(unit: UnitOfWork, ports: range) -> int:
    """One that no web cluster has; it is taken at the end of the transaction. Raises `PoolExhausted`."""
    hold_ports(unit)
    taken = {
        item.tcp_port for item in unit.web_clusters.find(Query(where={"tcp_port": set(ports)}))
    }
    free = next((port for port in ports if port not in taken), None)
    if free is None:
        raise PoolExhausted(
            f"cannot choose a port: web clusters have all from {ports.start} to {ports.stop - 1}; give tcp_port"
        )
    return free


def ensure_port_free(unit: UnitOfWork, snapshot: Snapshot, *, starts: bool = False) -> None:
    """Raises `AlreadyExists` where another cluster that is not stopped listens there on one of the nodes.

    One that is stopped itself, and does not start, is in nobody's way. What else listens on a node, that node knows.
    """
    cluster = snapshot.cluster
    if cluster.tcp_port is None or not (starts or cluster.is_live):
        return
    mine = {node.node_oid for node in snapshot.nodes}
    for other in _rivals(unit, cluster):
        theirs = unit.web_nodes.find(Query(where={"cluster_oid": other.oid, "node_oid": mine}))
        if theirs and _meet(other, cluster):
            raise _taken(unit, cluster, other, theirs[0].node_oid)


def _taken(
    unit: UnitOfWork, cluster: WebCluster, other: WebCluster, node_oid: str
) -> AlreadyExists:
    device = unit.devices.get(node_oid)
    where = device.name if device else node_oid
    who = f"'{other.name}'" if other.project_id == cluster.project_id else "of another project"
    return AlreadyExists(
        f"cannot listen on port {cluster.tcp_port} of the node '{where}': the web cluster {who} does; "
        "both may with another tcp_interface"
    )


def _rivals(unit: UnitOfWork, cluster: WebCluster) -> list[WebCluster]:
    busy = set(WebClusterState) - {WebClusterState.STOPPED}
    where = {"tcp_port": cluster.tcp_port, "status": busy}
    return [item for item in unit.web_clusters.find(Query(where=where)) if item.oid != cluster.oid]


def _meet(one: WebCluster, other: WebCluster) -> bool:
    """However they share it with other programs: one proxy serves both, and could not tell whom a request is for."""
    first, second = one.tcp_interface, other.tcp_interface
    return first == second or first in _WILD or second in _WILD
