"""How many L7 policies and rules a project may have: what Octavia's clients set is kept."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two columns; null is the default."""
    for name in ("l7policy", "l7rule"):
        op.add_column("quotas", sa.Column(name, sa.BigInteger(), nullable=True))
