"""Device pools, devices that announce themselves and move between states, moves, the lease's number."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What is there already is in the pool `default`, and shared as it was."""
    _make_pools()
    _widen_devices()
    op.create_table(
        "moves",
        sa.Column("loadbalancer_id", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["loadbalancer_id"],
            ["loadbalancers.id"],
            name=op.f("fk_moves_loadbalancer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("loadbalancer_id", name=op.f("pk_moves")),
    )
    op.create_index(op.f("ix_moves_source"), "moves", ["source"], unique=False)
    op.create_index(op.f("ix_moves_target"), "moves", ["target"], unique=False)
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.String(length=255), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    # A change of the number is one of the key: it waits for whoever writes under the number before.
    op.create_index("ix_leases_name_number", "leases", ["name", "number"], unique=True)
    op.execute("INSERT INTO leases (name, number, holder) VALUES ('manager', 0, '')")


def _make_pools() -> None:
    pools = op.create_table(
        "device_pools",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("provider", sa.String(length=255), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("auto_enroll", sa.Boolean(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("min_spare", sa.BigInteger(), nullable=False),
        sa.Column("probe_seconds", sa.Float(), nullable=True),
        sa.Column("max_parallel_failovers", sa.BigInteger(), nullable=False),
        sa.Column("brake_percent", sa.BigInteger(), nullable=False),
        sa.Column("brake_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("brake_reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_pools")),
        sa.UniqueConstraint("name", name=op.f("uq_device_pools_name")),
    )
    known = op.get_bind().execute(sa.text("SELECT count(*) FROM devices")).scalar()
    default = {
        "id": "default",
        "name": "default",
        "provider": "",
        "options": "",
        "auto_enroll": False,
        "shared": bool(known),
        "min_spare": 0,
        "max_parallel_failovers": 4,
        "brake_percent": 30,
        "brake_reason": "",
        "created_at": datetime.now(UTC),
    }
    op.bulk_insert(pools, [default])


def _widen_devices() -> None:
    """A state that was READY is told apart by what the device has."""
    pool = sa.Column("pool_id", sa.String(length=64), nullable=False, server_default="default")
    op.add_column("devices", pool)
    for name, kind, default in (
        ("misses", sa.BigInteger(), "0"),
        ("failing_since", sa.DateTime(timezone=True), None),
        ("retiring", sa.Boolean(), sa.false()),
        ("announced_at", sa.DateTime(timezone=True), None),
        ("started_at", sa.DateTime(timezone=True), None),
    ):
        nullable = default is None
        op.add_column("devices", sa.Column(name, kind, nullable=nullable, server_default=default))
    op.create_index(op.f("ix_devices_pool_id"), "devices", ["pool_id"], unique=False)
    op.execute("UPDATE devices SET state = 'BUILDING' WHERE state = 'NEW'")
    op.execute(
        "UPDATE devices SET state = 'ASSIGNED' WHERE state = 'READY'"
        " AND id IN (SELECT device_id FROM loadbalancers WHERE device_id IS NOT NULL)"
    )
    op.execute("UPDATE devices SET state = 'SPARE' WHERE state = 'READY'")
