"""Nodes whose health is reported, and their groups."""

from sqlalchemy import Column, ForeignKey, Index, String, Table, UniqueConstraint

from libra.model.nodestatus import NodeStatus
from libra.storage.tables.words import ID, key, long, metadata, number, text, time, word

node_groups = Table(
    "node_groups",
    metadata,
    key(),
    text("name"),
    number("min_online", nullable=True),
    time("created_at"),
    time("updated_at", nullable=True),
    UniqueConstraint("name"),
)

nodes = Table(
    "nodes",
    metadata,
    key(),
    text("name"),
    Column("group_id", String(ID), ForeignKey("node_groups.id"), nullable=False, index=True),
    text("address"),
    number("port", nullable=True),
    word("status", NodeStatus),
    long("reason"),
    text("author"),
    time("since"),
    time("expires_at", nullable=True),
    time("created_at"),
    time("updated_at", nullable=True),
    UniqueConstraint("name"),
    Index(None, "status"),
)
