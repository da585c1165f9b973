"""What devices have confirmed of certificates, beside the trees; quotas of L7 policies and rules are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Null where nothing is known, and for the default."""
    op.add_column("applied", sa.Column("materials", sa.Text(), nullable=True))
    for name in ("l7policy", "l7rule"):
        op.add_column("quotas", sa.Column(name, sa.BigInteger(), nullable=True))
