"""Web clusters in SQL: what rows of any kind cannot do."""

from sqlalchemy import Connection, delete

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
