"""Web clusters."""

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from libra.model.webcluster import WebClusterState
from libra.storage.columns import Texts
from libra.storage.tables.words import (
    ID,
    flag,
    key,
    long,
    metadata,
    number,
    perhaps,
    text,
    time,
    word,
)


def _of_cluster(column: str = "cluster_oid") -> Column[Any]:
    """A part goes with the whole."""
    key = ForeignKey("web_clusters.oid", ondelete="CASCADE")
    return Column(column, String(ID), key, nullable=False)


web_clusters = Table(
    "web_clusters",
    metadata,
    Column("oid", String(ID), primary_key=True),
    text("project_id"),
    text("name"),
    text("label", nullable=True),
    perhaps("description", Text),
    perhaps("tags", Texts),
    word("status", WebClusterState),
    text("owner_oid", ID),
    number("changed"),
    number("tcp_version", nullable=True),
    number("tcp_port", nullable=True),
    perhaps("tcp_shared", Boolean),
    text("tcp_interface", nullable=True),
    number("tcp_backlog", nullable=True),
    perhaps("tls_key", Text),
    perhaps("tls_certificate", Text),
    perhaps("tls_chain_certificates", Texts),
    perhaps("tls_ca_certificates", Texts),
    perhaps("tls_dhparam", Text),
    perhaps("tls_ciphers", Text),
    number("http_client_timeout", nullable=True),
    perhaps("http_hsts", Boolean),
    number("http_hsts_max_age", nullable=True),
    perhaps("http_access_log", Boolean),
    perhaps("http_display_tracebacks", Boolean),
    time("created_at"),
    number("revision"),
    number("good_revision"),
    long("reason"),
    flag("disabled"),
    perhaps("disabled_reason", Text),
    UniqueConstraint("project_id", "name"),
    Index(None, "created_at", "oid"),
    Index(None, "status"),
)

web_cluster_nodes = Table(
    "web_cluster_nodes",
    metadata,
    key(),
    _of_cluster(),
    Column("node_oid", String(ID), ForeignKey("devices.id"), nullable=False, index=True),
    number("parallel", nullable=True),
    perhaps("standby", Boolean),
    flag("active"),
    text("promoted_for", ID, nullable=True),
    time("since"),
    number("revision"),
    number("confirmed_revision"),
    flag("confirmed_active"),
    perhaps("answers", Boolean),
    time("good_since", nullable=True),
    long("refused"),
    flag("trusted"),
    number("failures"),
    time("created_at"),
    UniqueConstraint("cluster_oid", "node_oid"),
)

web_services = Table(
    "web_services",
    metadata,
    Column("oid", String(ID), primary_key=True),
    _of_cluster("webcluster_oid"),
    long("path"),
    text("type", ID),
    text("label", nullable=True),
    perhaps("description", Text),
    perhaps("tags", Texts),
    long("config"),
    time("created_at"),
    UniqueConstraint("webcluster_oid", "path"),
)

web_cluster_revisions = Table(
    "web_cluster_revisions",
    metadata,
    Column("id", String(2 * ID), primary_key=True),
    _of_cluster(),
    number("number"),
    long("document"),
    time("created_at"),
    UniqueConstraint("cluster_oid", "number"),
)
