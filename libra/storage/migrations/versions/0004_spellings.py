"""The spelling of members' addresses that clients gave, and look for."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Null where it is the canonical one."""
    for name in ("address_as_given", "monitor_address_as_given"):
        op.add_column("members", sa.Column(name, sa.String(length=255), nullable=True))
