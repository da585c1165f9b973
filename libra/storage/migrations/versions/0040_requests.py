"""Requests are counted beside connections."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From zero: nobody has told of them so far."""
    for name in ("total_requests", "seen_total_requests"):
        op.add_column(
            "counters", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")
        )
