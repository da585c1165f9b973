"""Controllers tell how their loops do; devices can be destroyed with the stop of one, to be booted again."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No device is stopped so far."""
    op.create_table(
        "controllers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("release", sa.String(length=255), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("manages", sa.Boolean(), nullable=True),
        sa.Column("loops", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_controllers")),
    )
    op.add_column(
        "devices", sa.Column("stopped", sa.Boolean(), nullable=False, server_default=sa.false())
    )
