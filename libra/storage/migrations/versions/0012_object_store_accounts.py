"""Accounts at object stores, and which job has the token of one."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table and one column."""
    op.create_table(
        "object_store_accounts",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("store", sa.String(length=64), nullable=False),
        sa.Column("auth_url", sa.Text(), nullable=False),
        sa.Column("auth_version", sa.String(32), nullable=False),
        sa.Column("user", sa.String(length=255), nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("region", sa.String(length=255), nullable=False),
        sa.Column("sealed_key", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("sealed_token", sa.Text(), nullable=False),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_object_store_accounts")),
        sa.UniqueConstraint("project_id", name=op.f("uq_object_store_accounts_project_id")),
    )
    op.create_index(
        op.f("ix_object_store_accounts_created_at_id"),
        "object_store_accounts",
        ["created_at", "id"],
        unique=False,
    )
    op.add_column("jobs", sa.Column("object_store_account", sa.String(length=64), nullable=True))
    op.create_index(
        op.f("ix_jobs_object_store_account"), "jobs", ["object_store_account"], unique=False
    )
