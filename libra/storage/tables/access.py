"""Who may do what, what each may have, and what happened."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from libra.model.access import Role
from libra.model.objectstore import AuthVersion
from libra.model.resources.certificate import CertificateType
from libra.storage.tables.words import (
    ID,
    NAME,
    key,
    long,
    metadata,
    number,
    text,
    texts,
    time,
    word,
)

tokens = Table(
    "tokens",
    metadata,
    key(),
    text("name"),
    text("digest", ID),
    word("role", Role),
    text("project_id", nullable=True),
    time("created_at"),
    time("expires_at", nullable=True),
    time("revoked_at", nullable=True),
    UniqueConstraint("digest"),
    Index(None, "name"),
)

issued_tokens = Table(
    "issued_tokens",
    metadata,
    Column("digest", String(ID), primary_key=True),
    Column("token_id", String(ID), ForeignKey("tokens.id", ondelete="CASCADE"), nullable=False),
    text("project_id", nullable=True),
    time("issued_at"),
    time("expires_at"),
    Index(None, "token_id"),
    Index(None, "expires_at"),
)

quotas = Table(
    "quotas",
    metadata,
    Column("project_id", String(NAME), primary_key=True),
    number("load_balancer", nullable=True),
    number("listener", nullable=True),
    number("pool", nullable=True),
    number("member", nullable=True),
    number("health_monitor", nullable=True),
    number("l7policy", nullable=True),
    number("l7rule", nullable=True),
)

certificates = Table(
    "certificates",
    metadata,
    key(),
    text("project_id"),
    text("name"),
    word("type", CertificateType),
    long("pem"),
    long("sealed"),
    long("subject"),
    texts("names"),
    text("fingerprint", ID),
    time("not_after", nullable=True),
    time("created_at"),
    time("updated_at", nullable=True),
    Index(None, "created_at", "id"),
    Index(None, "project_id", "created_at", "id"),
    Index(None, "name"),
)

object_store_accounts = Table(
    "object_store_accounts",
    metadata,
    key(),
    text("project_id"),
    text("store", ID),
    long("auth_url"),
    word("auth_version", AuthVersion),
    text("user"),
    text("domain"),
    text("region"),
    long("sealed_key"),
    long("endpoint"),
    long("sealed_token"),
    time("refreshed_at"),
    time("expires_at", nullable=True),
    time("created_at"),
    time("updated_at", nullable=True),
    UniqueConstraint("project_id"),
    Index(None, "created_at", "id"),
)

events = Table(
    "events",
    metadata,
    # SQLite counts up only what it calls INTEGER
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    time("at"),
    text("kind"),
    Column("subject_id", String(ID), nullable=False, index=True),
    text("project_id", nullable=True),
    text("actor"),
    long("reason"),
    text("request_id"),
    Column("remote", String(NAME), nullable=False, server_default=""),
    Column("comment", Text, nullable=False, server_default=""),
    Index(None, "at"),
    sqlite_autoincrement=True,
)

admin_maps = Table(
    "admin_maps",
    metadata,
    Column("name", String(ID), primary_key=True),
    long("document"),
    time("loaded_at"),
)
