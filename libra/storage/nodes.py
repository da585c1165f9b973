"""Nodes in SQL: what rows of any kind cannot do."""

from datetime import datetime

from sqlalchemy import Connection, select

from libra.model.nodestatus import Board, Node, NodeStatus
from libra.storage import tables
from libra.storage.rows import SqlRows


class SqlNodes(SqlRows[Node]):
    """See `NodeRows`."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.nodes, Node)

    def board(self) -> Board:
        """One statement, without making records."""
        node, group = tables.nodes, tables.node_groups
        joined = node.join(group, group.c.id == node.c.group_id)
        statement = select(node.c.name, group.c.name, node.c.status).select_from(joined)
        return {name: (of, status) for name, of, status in self._connection.execute(statement)}

    def expired(self, now: datetime, limit: int) -> list[Node]:
        """The oldest first."""
        table = self._table
        is_over = (table.c.status == NodeStatus.OFFLINE) & (table.c.expires_at <= now)
        statement = self._select().where(is_over).order_by(table.c.expires_at, table.c.id)
        return self._records(statement.limit(limit))

    def devices_with(self, address: str) -> set[str]:
        """Two statements."""
        return self._with_members(address) | self._with_services(address)

    def _with_members(self, address: str) -> set[str]:
        member, owner = tables.members, tables.loadbalancers
        joined = member.join(owner, owner.c.id == member.c.loadbalancer_id)
        statement = (
            select(owner.c.device_id)
            .select_from(joined)
            .where(member.c.address == address, owner.c.device_id.is_not(None))
            .distinct()
        )
        return set(self._connection.execute(statement).scalars())

    def _with_services(self, address: str) -> set[str]:
        """By the text of what they are told, where an IPv6 address may stand in many ways: then all of them."""
        node, revision = tables.web_cluster_nodes, tables.web_cluster_revisions
        document = revision.c.document
        named = document.contains(":" if ":" in address else address, autoescape=True)
        joined = node.join(revision, revision.c.cluster_oid == node.c.cluster_oid)
        statement = select(node.c.node_oid).select_from(joined).where(named).distinct()
        return set(self._connection.execute(statement).scalars())
