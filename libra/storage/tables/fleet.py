"""Devices, where they come from, what they are told, and who manages."""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from libra.model.device import DeviceState
from libra.model.job import JobAction, JobPriority, JobState
from libra.storage.tables.words import ID, flag, key, long, metadata, number, text, time, word

devices = Table(
    "devices",
    metadata,
    key(),
    text("name"),
    text("address"),
    word("state", DeviceState),
    number("generation"),
    number("acknowledged"),
    text("digest", ID),
    text("protocol"),
    text("release"),
    text("proxy"),
    time("created_at"),
    time("last_seen", nullable=True),
    long("reason"),
    Column("pool_id", String(ID), nullable=False, index=True),
    number("misses"),
    time("failing_since", nullable=True),
    flag("retiring"),
    time("announced_at", nullable=True),
    time("started_at", nullable=True),
    Column("reports_health", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("name"),
)

device_pools = Table(
    "device_pools",
    metadata,
    key(),
    text("name"),
    text("provider"),
    long("options"),
    flag("auto_enroll"),
    flag("shared"),
    number("min_spare"),
    Column("probe_seconds", Float, nullable=True),
    number("max_parallel_failovers"),
    number("brake_percent"),
    time("brake_since", nullable=True),
    long("brake_reason"),
    Column("disabled", Boolean, nullable=False, server_default=false()),
    Column("disabled_reason", Text, nullable=True),
    time("created_at"),
    time("updated_at", nullable=True),
    UniqueConstraint("name"),
)

jobs = Table(
    "jobs",
    metadata,
    key(),
    word("action", JobAction),
    Column("device_id", String(ID), nullable=False),
    text("device_name"),
    word("state", JobState),
    word("priority", JobPriority),
    text("project_id", nullable=True),
    Column("loadbalancer_id", String(ID), nullable=True),
    number("generation"),
    flag("alone"),
    number("attempts"),
    time("created_at"),
    time("updated_at"),
    time("deadline"),
    time("not_before", nullable=True),
    text("requested_by"),
    text("request_id"),
    long("message"),
    long("sealed"),
    long("reply"),
    long("error"),
    Index(None, "state", "deadline"),
    Index(None, "device_id", "state"),
    Index(None, "created_at", "id"),
    Index(None, "loadbalancer_id"),
)

moves = Table(
    "moves",
    metadata,
    Column(
        "loadbalancer_id",
        String(ID),
        ForeignKey("loadbalancers.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("source", String(ID), nullable=False, index=True),
    Column("target", String(ID), nullable=False, index=True),
    long("reason"),
    flag("confirmed"),
    time("started_at"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(ID), primary_key=True),
    number("number"),
    text("holder"),
    time("expires_at", nullable=True),
    Index("ix_leases_name_number", "name", "number", unique=True),
)
