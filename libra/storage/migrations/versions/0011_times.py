"""When a device first answered, and when a job was sent: how long each took."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of what was before, nobody knows."""
    op.add_column("devices", sa.Column("first_seen", sa.DateTime(timezone=True), nullable=True))
    op.add_column("jobs", sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_jobs_device_id_sent_at", "jobs", ["device_id", "sent_at"])
