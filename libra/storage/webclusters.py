"""Web clusters in SQL: what rows of any kind cannot do."""

from sqlalchemy import Connection, delete, select

from libra.model.webcluster import WebRevision
from libra.storage import tables
from libra.storage.rows import SqlRows


class SqlWebRevisions(SqlRows[WebRevision]):
    """See `WebRevisionRows`."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.web_cluster_revisions, WebRevision)

    def prune(self, cluster_oid: str, before: int) -> int:
        """One statement."""
        table = self._table
        statement = delete(table).where(table.c.cluster_oid == cluster_oid, table.c.number < before)
        return int(self._connection.execute(statement).rowcount)


def projects_by_device(connection: Connection) -> dict[str, frozenset[str]]:
    """Whose web clusters each device is a node of, by its id; in one statement."""
    node, cluster = tables.web_cluster_nodes, tables.web_clusters
    joined = node.join(cluster, cluster.c.oid == node.c.cluster_oid)
    statement = select(node.c.node_oid, cluster.c.project_id).select_from(joined).distinct()
    found: dict[str, set[str]] = {}
    for device, project in connection.execute(statement):
        found.setdefault(device, set()).add(project)
    return {device: frozenset(projects) for device, projects in found.items()}


def devices_of_project(connection: Connection, project: str) -> set[str]:
    """The ids of those that are nodes of its web clusters; in one statement."""
    node, cluster = tables.web_cluster_nodes, tables.web_clusters
    joined = node.join(cluster, cluster.c.oid == node.c.cluster_oid)
    statement = select(node.c.node_oid).select_from(joined).where(cluster.c.project_id == project)
    return set(connection.execute(statement.distinct()).scalars())
