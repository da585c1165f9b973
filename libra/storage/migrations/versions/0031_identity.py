"""Tokens that are handed out for a name and a secret, and end soon."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """They go with the token that they stand for."""
    op.create_table(
        "issued_tokens",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("token_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_issued_tokens")),
        sa.ForeignKeyConstraint(
            ["token_id"],
            ["tokens.id"],
            name=op.f("fk_issued_tokens_token_id"),
            ondelete="CASCADE",
        ),
    )
    for name in ("token_id", "expires_at"):
        op.create_index(op.f(f"ix_issued_tokens_{name}"), "issued_tokens", [name])
