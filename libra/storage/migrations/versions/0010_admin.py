"""What operators order: allocations and priorities of pools, zones, who ordered it from where, and maps of theirs."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every pool is as large as it likes, all are alike, and nobody has said anything so far."""
    op.add_column("device_pools", sa.Column("max_devices", sa.BigInteger(), nullable=True))
    op.add_column(
        "device_pools",
        sa.Column("priority", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.add_column(
        "devices",
        sa.Column("shutting_down", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column(
        "events",
        sa.Column("remote", sa.String(length=255), nullable=False, server_default=""),
    )
    op.add_column("events", sa.Column("comment", sa.Text(), nullable=False, server_default=""))
    op.add_column(
        "loadbalancers", sa.Column("availability_zone", sa.String(length=255), nullable=True)
    )
    op.create_table(
        "admin_maps",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_admin_maps"),
    )
