"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every table, in the order in which they refer to each other."""
    _make_devices()
    _make_events()
    _make_jobs()
    _make_quotas()
    _make_tokens()
    _make_loadbalancers()
    _make_addresses()
    _make_applied()
    _make_listeners()
    _make_indexes_of_listeners()
    _make_pools()
    _make_counters()
    _make_members()
    _make_monitors()


def _make_devices() -> None:
    op.create_table(
        "devices",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("address", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("protocol", sa.String(length=255), nullable=False),
        sa.Column("release", sa.String(length=255), nullable=False),
        sa.Column("proxy", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices")),
        sa.UniqueConstraint("name", name=op.f("uq_devices_name")),
    )


def _make_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=255), nullable=False),
        sa.Column("subject_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=True),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("request_id", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_events_at"), "events", ["at"], unique=False)
    op.create_index(op.f("ix_events_subject_id"), "events", ["subject_id"], unique=False)


def _make_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("device_name", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("priority", sa.String(32), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=True),
        sa.Column("loadbalancer_id", sa.String(length=64), nullable=True),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("alone", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("requested_by", sa.String(length=255), nullable=False),
        sa.Column("request_id", sa.String(length=255), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index(op.f("ix_jobs_created_at_id"), "jobs", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_jobs_device_id_state"), "jobs", ["device_id", "state"], unique=False)
    op.create_index(op.f("ix_jobs_loadbalancer_id"), "jobs", ["loadbalancer_id"], unique=False)
    op.create_index(op.f("ix_jobs_state_deadline"), "jobs", ["state", "deadline"], unique=False)


def _make_quotas() -> None:
    op.create_table(
        "quotas",
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("load_balancer", sa.BigInteger(), nullable=True),
        sa.Column("listener", sa.BigInteger(), nullable=True),
        sa.Column("pool", sa.BigInteger(), nullable=True),
        sa.Column("member", sa.BigInteger(), nullable=True),
        sa.Column("health_monitor", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_quotas")),
    )


def _make_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_tokens_digest")),
    )
    op.create_index(op.f("ix_tokens_name"), "tokens", ["name"], unique=False)


def _make_loadbalancers() -> None:
    op.create_table(
        "loadbalancers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("admin_state_up", sa.Boolean(), nullable=False),
        sa.Column("provisioning_status", sa.String(32), nullable=False),
        sa.Column("operating_status", sa.String(32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("going", sa.Boolean(), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("vip_address", sa.String(length=255), nullable=False),
        sa.Column("vip_port_id", sa.String(length=255), nullable=True),
        sa.Column("vip_subnet_id", sa.String(length=255), nullable=True),
        sa.Column("vip_network_id", sa.String(length=255), nullable=True),
        sa.Column("provider", sa.String(length=255), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=True),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.id"], name=op.f("fk_loadbalancers_device_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_loadbalancers")),
    )
    op.create_index(
        op.f("ix_loadbalancers_created_at_id"), "loadbalancers", ["created_at", "id"], unique=False
    )
    op.create_index(
        op.f("ix_loadbalancers_device_id"), "loadbalancers", ["device_id"], unique=False
    )
    op.create_index(op.f("ix_loadbalancers_name"), "loadbalancers", ["name"], unique=False)
    op.create_index(
        op.f("ix_loadbalancers_project_id_created_at_id"),
        "loadbalancers",
        ["project_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_loadbalancers_provisioning_status"),
        "loadbalancers",
        ["provisioning_status"],
        unique=False,
    )


def _make_addresses() -> None:
    op.create_table(
        "addresses",
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("pool", sa.String(length=255), nullable=False),
        sa.Column("loadbalancer_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["loadbalancer_id"],
            ["loadbalancers.id"],
            name=op.f("fk_addresses_loadbalancer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_addresses")),
    )
    op.create_index(
        op.f("ix_addresses_loadbalancer_id"), "addresses", ["loadbalancer_id"], unique=False
    )
    op.create_index(op.f("ix_addresses_pool"), "addresses", ["pool"], unique=False)


def _make_applied() -> None:
    op.create_table(
        "applied",
        sa.Column("loadbalancer_id", sa.String(length=64), nullable=False),
        sa.Column("tree", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["loadbalancer_id"],
            ["loadbalancers.id"],
            name=op.f("fk_applied_loadbalancer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("loadbalancer_id", name=op.f("pk_applied")),
    )


def _make_listeners() -> None:
    op.create_table(
        "listeners",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("admin_state_up", sa.Boolean(), nullable=False),
        sa.Column("provisioning_status", sa.String(32), nullable=False),
        sa.Column("operating_status", sa.String(32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("going", sa.Boolean(), nullable=False),
        sa.Column("loadbalancer_id", sa.String(length=64), nullable=False),
        sa.Column("protocol", sa.String(32), nullable=False),
        sa.Column("protocol_port", sa.Integer(), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("connection_limit", sa.BigInteger(), nullable=False),
        sa.Column("default_pool_id", sa.String(length=64), nullable=True),
        sa.Column("insert_headers", sa.Text(), nullable=False),
        sa.Column("timeout_client_data", sa.BigInteger(), nullable=False),
        sa.Column("timeout_member_connect", sa.BigInteger(), nullable=False),
        sa.Column("timeout_member_data", sa.BigInteger(), nullable=False),
        sa.Column("timeout_tcp_inspect", sa.BigInteger(), nullable=False),
        sa.Column("allowed_cidrs", sa.Text(), nullable=False),
        sa.Column("default_tls_container_ref", sa.String(length=255), nullable=True),
        sa.Column("sni_container_refs", sa.Text(), nullable=False),
        sa.Column("client_authentication", sa.String(32), nullable=False),
        sa.Column("client_ca_tls_container_ref", sa.String(length=255), nullable=True),
        sa.Column("client_crl_container_ref", sa.String(length=255), nullable=True),
        sa.Column("tls_ciphers", sa.String(length=1024), nullable=True),
        sa.Column("tls_versions", sa.Text(), nullable=False),
        sa.Column("alpn_protocols", sa.Text(), nullable=False),
        sa.Column("hsts_max_age", sa.BigInteger(), nullable=True),
        sa.Column("hsts_include_subdomains", sa.Boolean(), nullable=False),
        sa.Column("hsts_preload", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["loadbalancer_id"],
            ["loadbalancers.id"],
            name=op.f("fk_listeners_loadbalancer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listeners")),
        sa.UniqueConstraint(
            "loadbalancer_id",
            "protocol_port",
            name=op.f("uq_listeners_loadbalancer_id_protocol_port"),
        ),
    )


def _make_indexes_of_listeners() -> None:
    op.create_index(
        op.f("ix_listeners_created_at_id"), "listeners", ["created_at", "id"], unique=False
    )
    op.create_index(
        op.f("ix_listeners_default_pool_id"), "listeners", ["default_pool_id"], unique=False
    )
    op.create_index(
        op.f("ix_listeners_loadbalancer_id"), "listeners", ["loadbalancer_id"], unique=False
    )
    op.create_index(op.f("ix_listeners_name"), "listeners", ["name"], unique=False)
    op.create_index(
        op.f("ix_listeners_project_id_created_at_id"),
        "listeners",
        ["project_id", "created_at", "id"],
        unique=False,
    )


def _make_pools() -> None:
    op.create_table(
        "pools",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("admin_state_up", sa.Boolean(), nullable=False),
        sa.Column("provisioning_status", sa.String(32), nullable=False),
        sa.Column("operating_status", sa.String(32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("going", sa.Boolean(), nullable=False),
        sa.Column("loadbalancer_id", sa.String(length=64), nullable=False),
        sa.Column("protocol", sa.String(32), nullable=False),
        sa.Column("lb_algorithm", sa.String(32), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("session_persistence", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["loadbalancer_id"],
            ["loadbalancers.id"],
            name=op.f("fk_pools_loadbalancer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pools")),
    )
    op.create_index(op.f("ix_pools_created_at_id"), "pools", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_pools_loadbalancer_id"), "pools", ["loadbalancer_id"], unique=False)
    op.create_index(op.f("ix_pools_name"), "pools", ["name"], unique=False)
    op.create_index(
        op.f("ix_pools_project_id_created_at_id"),
        "pools",
        ["project_id", "created_at", "id"],
        unique=False,
    )


def _make_counters() -> None:
    op.create_table(
        "counters",
        sa.Column("listener_id", sa.String(length=64), nullable=False),
        sa.Column("loadbalancer_id", sa.String(length=64), nullable=False),
        sa.Column("active_connections", sa.BigInteger(), nullable=False),
        sa.Column("bytes_in", sa.BigInteger(), nullable=False),
        sa.Column("bytes_out", sa.BigInteger(), nullable=False),
        sa.Column("request_errors", sa.BigInteger(), nullable=False),
        sa.Column("total_connections", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["listener_id"],
            ["listeners.id"],
            name=op.f("fk_counters_listener_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["loadbalancer_id"],
            ["loadbalancers.id"],
            name=op.f("fk_counters_loadbalancer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("listener_id", name=op.f("pk_counters")),
    )
    op.create_index(
        op.f("ix_counters_loadbalancer_id"), "counters", ["loadbalancer_id"], unique=False
    )


def _make_members() -> None:
    op.create_table(
        "members",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("admin_state_up", sa.Boolean(), nullable=False),
        sa.Column("provisioning_status", sa.String(32), nullable=False),
        sa.Column("operating_status", sa.String(32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("going", sa.Boolean(), nullable=False),
        sa.Column("loadbalancer_id", sa.String(length=64), nullable=False),
        sa.Column("pool_id", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=255), nullable=False),
        sa.Column("protocol_port", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("backup", sa.Boolean(), nullable=False),
        sa.Column("subnet_id", sa.String(length=255), nullable=True),
        sa.Column("monitor_address", sa.String(length=255), nullable=True),
        sa.Column("monitor_port", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["loadbalancer_id"],
            ["loadbalancers.id"],
            name=op.f("fk_members_loadbalancer_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["pool_id"], ["pools.id"], name=op.f("fk_members_pool_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_members")),
        sa.UniqueConstraint(
            "pool_id",
            "address",
            "protocol_port",
            name=op.f("uq_members_pool_id_address_protocol_port"),
        ),
    )
    op.create_index(op.f("ix_members_created_at_id"), "members", ["created_at", "id"], unique=False)
    op.create_index(
        op.f("ix_members_loadbalancer_id"), "members", ["loadbalancer_id"], unique=False
    )
    op.create_index(op.f("ix_members_name"), "members", ["name"], unique=False)
    op.create_index(op.f("ix_members_pool_id"), "members", ["pool_id"], unique=False)
    op.create_index(
        op.f("ix_members_project_id_created_at_id"),
        "members",
        ["project_id", "created_at", "id"],
        unique=False,
    )


def _make_monitors() -> None:
    op.create_table(
        "monitors",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("admin_state_up", sa.Boolean(), nullable=False),
        sa.Column("provisioning_status", sa.String(32), nullable=False),
        sa.Column("operating_status", sa.String(32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("going", sa.Boolean(), nullable=False),
        sa.Column("loadbalancer_id", sa.String(length=64), nullable=False),
        sa.Column("pool_id", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("delay", sa.BigInteger(), nullable=False),
        sa.Column("timeout", sa.BigInteger(), nullable=False),
        sa.Column("max_retries", sa.BigInteger(), nullable=False),
        sa.Column("max_retries_down", sa.BigInteger(), nullable=False),
        sa.Column("http_method", sa.String(length=255), nullable=False),
        sa.Column("url_path", sa.String(length=1024), nullable=False),
        sa.Column("expected_codes", sa.String(length=1024), nullable=False),
        sa.Column("http_version", sa.String(length=255), nullable=True),
        sa.Column("domain_name", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(
            ["loadbalancer_id"],
            ["loadbalancers.id"],
            name=op.f("fk_monitors_loadbalancer_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["pool_id"], ["pools.id"], name=op.f("fk_monitors_pool_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_monitors")),
        sa.UniqueConstraint("pool_id", name=op.f("uq_monitors_pool_id")),
    )
    op.create_index(
        op.f("ix_monitors_created_at_id"), "monitors", ["created_at", "id"], unique=False
    )
    op.create_index(
        op.f("ix_monitors_loadbalancer_id"), "monitors", ["loadbalancer_id"], unique=False
    )
    op.create_index(op.f("ix_monitors_name"), "monitors", ["name"], unique=False)
    op.create_index(op.f("ix_monitors_pool_id"), "monitors", ["pool_id"], unique=False)
    op.create_index(
        op.f("ix_monitors_project_id_created_at_id"),
        "monitors",
        ["project_id", "created_at", "id"],
        unique=False,
    )
