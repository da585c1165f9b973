"""Device pools can be taken out of placement."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """All of them are in it."""
    op.add_column(
        "device_pools",
        sa.Column("disabled", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("device_pools", sa.Column("disabled_reason", sa.Text(), nullable=True))
