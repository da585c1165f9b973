"""L7 policies and rules, and TLS from pools to their members."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables, and columns whose empty values mean what was so before."""
    _create(
        "l7policies",
        sa.Column("listener_id", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("redirect_pool_id", sa.String(length=64), nullable=True),
        sa.Column("redirect_url", sa.String(length=255), nullable=True),
        sa.Column("redirect_prefix", sa.String(length=255), nullable=True),
        sa.Column("redirect_http_code", sa.BigInteger(), nullable=True),
        owner="listeners",
        column="listener_id",
    )
    op.create_index(
        op.f("ix_l7policies_redirect_pool_id"), "l7policies", ["redirect_pool_id"], unique=False
    )
    _create(
        "l7rules",
        sa.Column("l7policy_id", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("compare_type", sa.String(32), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=True),
        sa.Column("invert", sa.Boolean(), nullable=False),
        owner="l7policies",
        column="l7policy_id",
    )
    for name in ("tls_container_ref", "ca_tls_container_ref", "crl_container_ref"):
        op.add_column("pools", sa.Column(name, sa.String(length=255), nullable=True))
    op.add_column("pools", sa.Column("tls_ciphers", sa.String(length=1024), nullable=True))
    for name in ("tls_versions", "alpn_protocols"):
        op.add_column("pools", sa.Column(name, sa.Text(), nullable=False, server_default="[]"))
    op.add_column(
        "pools", sa.Column("tls_enabled", sa.Boolean(), nullable=False, server_default=sa.false())
    )


def _create(table: str, *columns: "sa.Column[Any]", owner: str, column: str) -> None:
    """With what all resources have."""
    op.create_table(
        table,
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("admin_state_up", sa.Boolean(), nullable=False),
        sa.Column("provisioning_status", sa.String(32), nullable=False),
        sa.Column("operating_status", sa.String(32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("going", sa.Boolean(), nullable=False),
        sa.Column("loadbalancer_id", sa.String(length=64), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(
            ["loadbalancer_id"],
            ["loadbalancers.id"],
            name=op.f(f"fk_{table}_loadbalancer_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            [column], [f"{owner}.id"], name=op.f(f"fk_{table}_{column}"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )
    for names in (
        *(("created_at", "id"), ("project_id", "created_at", "id"), ("name",)),
        *(("loadbalancer_id",), (column,)),
    ):
        index = op.f(f"ix_{table}_{'_'.join(names)}")
        op.create_index(index, table, list(names), unique=False)
