"""Web clusters: their definitions by revision, their nodes, their services."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Four tables; the last three go with the first."""
    _make_clusters()
    _make_nodes()
    _make_services()
    _make_revisions()


def _make_clusters() -> None:
    flags = ("tcp_shared", "http_hsts", "http_access_log", "http_display_tracebacks")
    numbers = ("tcp_version", "tcp_port", "tcp_backlog", "http_client_timeout", "http_hsts_max_age")
    texts = (
        *("tls_key", "tls_certificate", "tls_chain_certificates", "tls_ca_certificates"),
        *("tls_dhparam", "tls_ciphers", "description", "tags"),
    )
    op.create_table(
        "web_clusters",
        sa.Column("oid", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("label", sa.String(length=255), nullable=True),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("owner_oid", sa.String(length=64), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("tcp_interface", sa.String(length=255), nullable=True),
        *(sa.Column(name, sa.Text(), nullable=True) for name in texts),
        *(sa.Column(name, sa.Boolean(), nullable=True) for name in flags),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in numbers),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("good_revision", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("oid", name=op.f("pk_web_clusters")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_web_clusters_project_id_name")),
    )
    op.create_index(
        op.f("ix_web_clusters_created_at_oid"), "web_clusters", ["created_at", "oid"], unique=False
    )
    op.create_index(op.f("ix_web_clusters_status"), "web_clusters", ["status"], unique=False)


def _make_nodes() -> None:
    op.create_table(
        "web_cluster_nodes",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("cluster_oid", sa.String(length=64), nullable=False),
        sa.Column("node_oid", sa.String(length=64), nullable=False),
        sa.Column("parallel", sa.BigInteger(), nullable=True),
        sa.Column("standby", sa.Boolean(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("promoted_for", sa.String(length=64), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_revision", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_active", sa.Boolean(), nullable=False),
        sa.Column("answers", sa.Boolean(), nullable=True),
        sa.Column("good_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refused", sa.Text(), nullable=False),
        sa.Column("trusted", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _cluster("web_cluster_nodes"),
        sa.ForeignKeyConstraint(
            ["node_oid"], ["devices.id"], name=op.f("fk_web_cluster_nodes_node_oid")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_web_cluster_nodes")),
        sa.UniqueConstraint(
            "cluster_oid", "node_oid", name=op.f("uq_web_cluster_nodes_cluster_oid_node_oid")
        ),
    )
    op.create_index(
        op.f("ix_web_cluster_nodes_node_oid"), "web_cluster_nodes", ["node_oid"], unique=False
    )


def _make_services() -> None:
    op.create_table(
        "web_services",
        sa.Column("oid", sa.String(length=64), nullable=False),
        sa.Column("webcluster_oid", sa.String(length=64), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=255), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=True),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _cluster("web_services", "webcluster_oid"),
        sa.PrimaryKeyConstraint("oid", name=op.f("pk_web_services")),
        sa.UniqueConstraint(
            "webcluster_oid", "path", name=op.f("uq_web_services_webcluster_oid_path")
        ),
    )


def _make_revisions() -> None:
    op.create_table(
        "web_cluster_revisions",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("cluster_oid", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _cluster("web_cluster_revisions"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_web_cluster_revisions")),
        sa.UniqueConstraint(
            "cluster_oid", "number", name=op.f("uq_web_cluster_revisions_cluster_oid_number")
        ),
    )


def _cluster(table: str, column: str = "cluster_oid") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], ["web_clusters.oid"], name=op.f(f"fk_{table}_{column}"), ondelete="CASCADE"
    )
