"""Counters go on where a listener moves to another device: what its device told last is kept beside the totals."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COUNTED = ("bytes_in", "bytes_out", "request_errors", "total_connections")


def upgrade() -> None:
    """So far a total was what the device told last; which one that was is found out by the next probe."""
    op.add_column("counters", sa.Column("device_id", sa.String(length=64), nullable=True))
    for name in COUNTED:
        column = sa.Column(f"seen_{name}", sa.BigInteger(), nullable=False, server_default="0")
        op.add_column("counters", column)
    copies = ", ".join(f"seen_{name} = {name}" for name in COUNTED)
    op.execute(f"UPDATE counters SET {copies}")  # noqa: S608 - names of ours
