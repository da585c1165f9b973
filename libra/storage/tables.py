"""The tables. A column is named as the field of its record, and holds what that holds."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from libra.model.access import Role
from libra.model.device import DeviceState
from libra.model.job import JobAction, JobPriority, JobState
from libra.model.resources.certificate import CertificateType
from libra.model.resources.listener import ListenerProtocol
from libra.model.resources.monitor import HealthMonitorType
from libra.model.resources.pool import PoolAlgorithm, PoolProtocol
from libra.model.status import OperatingStatus, ProvisioningStatus
from libra.model.tls import ClientAuthentication
from libra.model.webcluster import WebClusterState
from libra.storage.columns import EnumText, Persistence, Texts, UtcDateTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
ID = 64
NAME = 255
# Of a listener's counters, which its device counts too, and the column for what it told last.
SEEN = {
    name: f"seen_{name}"
    for name in ("bytes_in", "bytes_out", "request_errors", "total_connections")
}


def _key() -> Column[Any]:
    return Column("id", String(ID), primary_key=True)


def _text(name: str, size: int = NAME, *, nullable: bool = False) -> Column[Any]:
    return Column(name, String(size), nullable=nullable)


def _long(name: str) -> Column[Any]:
    return Column(name, Text, nullable=False)


def _number(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, BigInteger, nullable=nullable)


def _flag(name: str) -> Column[Any]:
    return Column(name, Boolean, nullable=False)


def _time(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, UtcDateTime, nullable=nullable)


def _word(name: str, kind: Any) -> Column[Any]:
    return Column(name, EnumText(kind), nullable=False)


def _texts(name: str) -> Column[Any]:
    return Column(name, Texts, nullable=False)


def _owner(table: str, column: str, *, nullable: bool = False) -> Column[Any]:
    """A part goes with the whole."""
    key = ForeignKey(f"{table}.id", ondelete="CASCADE")
    return Column(column, String(ID), key, nullable=nullable, index=True)


def _resource(table: str, *columns: Any) -> Table:
    return Table(
        table,
        metadata,
        _key(),
        _text("project_id"),
        _text("name"),
        _flag("admin_state_up"),
        _word("provisioning_status", ProvisioningStatus),
        _word("operating_status", OperatingStatus),
        _time("created_at"),
        _time("updated_at", nullable=True),
        _texts("tags"),
        _flag("going"),
        *columns,
        Index(None, "created_at", "id"),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "name"),
    )


devices = Table(
    "devices",
    metadata,
    _key(),
    _text("name"),
    _text("address"),
    _word("state", DeviceState),
    _number("generation"),
    _number("acknowledged"),
    _text("digest", ID),
    _text("protocol"),
    _text("release"),
    _text("proxy"),
    _time("created_at"),
    _time("last_seen", nullable=True),
    _long("reason"),
    Column("pool_id", String(ID), nullable=False, index=True),
    _number("misses"),
    _time("failing_since", nullable=True),
    _flag("retiring"),
    _time("announced_at", nullable=True),
    _time("started_at", nullable=True),
    UniqueConstraint("name"),
)

device_pools = Table(
    "device_pools",
    metadata,
    _key(),
    _text("name"),
    _text("provider"),
    _long("options"),
    _flag("auto_enroll"),
    _flag("shared"),
    _number("min_spare"),
    Column("probe_seconds", Float, nullable=True),
    _number("max_parallel_failovers"),
    _number("brake_percent"),
    _time("brake_since", nullable=True),
    _long("brake_reason"),
    Column("disabled", Boolean, nullable=False, server_default=false()),
    Column("disabled_reason", Text, nullable=True),
    _time("created_at"),
    _time("updated_at", nullable=True),
    UniqueConstraint("name"),
)

loadbalancers = _resource(
    "loadbalancers",
    _text("description"),
    _text("vip_address"),
    _text("vip_port_id", nullable=True),
    _text("vip_subnet_id", nullable=True),
    _text("vip_network_id", nullable=True),
    _text("provider"),
    Column("device_id", String(ID), ForeignKey("devices.id"), nullable=True, index=True),
    _number("generation"),
    _long("reason"),
    Index(None, "provisioning_status"),
)

listeners = _resource(
    "listeners",
    _owner("loadbalancers", "loadbalancer_id"),
    _word("protocol", ListenerProtocol),
    Column("protocol_port", Integer, nullable=False),
    _text("description"),
    _number("connection_limit"),
    Column("default_pool_id", String(ID), nullable=True, index=True),
    _texts("insert_headers"),
    _number("timeout_client_data"),
    _number("timeout_member_connect"),
    _number("timeout_member_data"),
    _number("timeout_tcp_inspect"),
    _texts("allowed_cidrs"),
    _text("default_tls_container_ref", nullable=True),
    _texts("sni_container_refs"),
    _word("client_authentication", ClientAuthentication),
    _text("client_ca_tls_container_ref", nullable=True),
    _text("client_crl_container_ref", nullable=True),
    _text("tls_ciphers", 1024, nullable=True),
    _texts("tls_versions"),
    _texts("alpn_protocols"),
    _number("hsts_max_age", nullable=True),
    _flag("hsts_include_subdomains"),
    _flag("hsts_preload"),
    UniqueConstraint("loadbalancer_id", "protocol_port"),
)

pools = _resource(
    "pools",
    _owner("loadbalancers", "loadbalancer_id"),
    _word("protocol", PoolProtocol),
    _word("lb_algorithm", PoolAlgorithm),
    _text("description"),
    Column("session_persistence", Persistence, nullable=True),
)

members = _resource(
    "members",
    _owner("loadbalancers", "loadbalancer_id"),
    _owner("pools", "pool_id"),
    _text("address"),
    Column("protocol_port", Integer, nullable=False),
    Column("weight", Integer, nullable=False),
    _flag("backup"),
    _text("subnet_id", nullable=True),
    _text("monitor_address", nullable=True),
    Column("monitor_port", Integer, nullable=True),
    _text("address_as_given", nullable=True),
    _text("monitor_address_as_given", nullable=True),
    UniqueConstraint("pool_id", "address", "protocol_port"),
)

monitors = _resource(
    "monitors",
    _owner("loadbalancers", "loadbalancer_id"),
    _owner("pools", "pool_id"),
    _word("type", HealthMonitorType),
    _number("delay"),
    _number("timeout"),
    _number("max_retries"),
    _number("max_retries_down"),
    _text("http_method"),
    _text("url_path", 1024),
    _text("expected_codes", 1024),
    _text("http_version", nullable=True),
    _text("domain_name", nullable=True),
    UniqueConstraint("pool_id"),
)

jobs = Table(
    "jobs",
    metadata,
    _key(),
    _word("action", JobAction),
    Column("device_id", String(ID), nullable=False),
    _text("device_name"),
    _word("state", JobState),
    _word("priority", JobPriority),
    _text("project_id", nullable=True),
    Column("loadbalancer_id", String(ID), nullable=True),
    _number("generation"),
    _flag("alone"),
    _number("attempts"),
    _time("created_at"),
    _time("updated_at"),
    _time("deadline"),
    _time("not_before", nullable=True),
    _text("requested_by"),
    _text("request_id"),
    _long("message"),
    _long("sealed"),
    _long("reply"),
    _long("error"),
    Index(None, "state", "deadline"),
    Index(None, "device_id", "state"),
    Index(None, "created_at", "id"),
    Index(None, "loadbalancer_id"),
)

events = Table(
    "events",
    metadata,
    # SQLite counts up only what it calls INTEGER
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    _time("at"),
    _text("kind"),
    Column("subject_id", String(ID), nullable=False, index=True),
    _text("project_id", nullable=True),
    _text("actor"),
    _long("reason"),
    _text("request_id"),
    Index(None, "at"),
    sqlite_autoincrement=True,
)

tokens = Table(
    "tokens",
    metadata,
    _key(),
    _text("name"),
    _text("digest", ID),
    _word("role", Role),
    _text("project_id", nullable=True),
    _time("created_at"),
    _time("expires_at", nullable=True),
    _time("revoked_at", nullable=True),
    UniqueConstraint("digest"),
    Index(None, "name"),
)

quotas = Table(
    "quotas",
    metadata,
    Column("project_id", String(NAME), primary_key=True),
    _number("load_balancer", nullable=True),
    _number("listener", nullable=True),
    _number("pool", nullable=True),
    _number("member", nullable=True),
    _number("health_monitor", nullable=True),
    _number("l7policy", nullable=True),
    _number("l7rule", nullable=True),
)

addresses = Table(
    "addresses",
    metadata,
    Column("address", String(ID), primary_key=True),
    Column("pool", String(NAME), nullable=False, index=True),
    _owner("loadbalancers", "loadbalancer_id"),
)

counters = Table(
    "counters",
    metadata,
    Column(
        "listener_id", String(ID), ForeignKey("listeners.id", ondelete="CASCADE"), primary_key=True
    ),
    _owner("loadbalancers", "loadbalancer_id"),
    _number("active_connections"),
    _number("bytes_in"),
    _number("bytes_out"),
    _number("request_errors"),
    _number("total_connections"),
    # What the device that was heard last has counted itself: a total grows by what comes on top.
    Column("device_id", String(ID)),
    *(Column(name, BigInteger, nullable=False, server_default="0") for name in SEEN.values()),
)

applied = Table(
    "applied",
    metadata,
    Column(
        "loadbalancer_id",
        String(ID),
        ForeignKey("loadbalancers.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    _long("tree"),
    Column("materials", Text, nullable=True),
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
    _long("reason"),
    _flag("confirmed"),
    _time("started_at"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(ID), primary_key=True),
    _number("number"),
    _text("holder"),
    _time("expires_at", nullable=True),
    Index("ix_leases_name_number", "name", "number", unique=True),
)

certificates = Table(
    "certificates",
    metadata,
    _key(),
    _text("project_id"),
    _text("name"),
    _word("type", CertificateType),
    _long("pem"),
    _long("sealed"),
    _long("subject"),
    _texts("names"),
    _text("fingerprint", ID),
    _time("not_after", nullable=True),
    _time("created_at"),
    _time("updated_at", nullable=True),
    Index(None, "created_at", "id"),
    Index(None, "project_id", "created_at", "id"),
    Index(None, "name"),
)


def _perhaps(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, nullable=True)


def _of_cluster(column: str = "cluster_oid") -> Column[Any]:
    """A part goes with the whole."""
    key = ForeignKey("web_clusters.oid", ondelete="CASCADE")
    return Column(column, String(ID), key, nullable=False)


web_clusters = Table(
    "web_clusters",
    metadata,
    Column("oid", String(ID), primary_key=True),
    _text("project_id"),
    _text("name"),
    _text("label", nullable=True),
    _perhaps("description", Text),
    _perhaps("tags", Texts),
    _word("status", WebClusterState),
    _text("owner_oid", ID),
    _number("changed"),
    _number("tcp_version", nullable=True),
    _number("tcp_port", nullable=True),
    _perhaps("tcp_shared", Boolean),
    _text("tcp_interface", nullable=True),
    _number("tcp_backlog", nullable=True),
    _perhaps("tls_key", Text),
    _perhaps("tls_certificate", Text),
    _perhaps("tls_chain_certificates", Texts),
    _perhaps("tls_ca_certificates", Texts),
    _perhaps("tls_dhparam", Text),
    _perhaps("tls_ciphers", Text),
    _number("http_client_timeout", nullable=True),
    _perhaps("http_hsts", Boolean),
    _number("http_hsts_max_age", nullable=True),
    _perhaps("http_access_log", Boolean),
    _perhaps("http_display_tracebacks", Boolean),
    _time("created_at"),
    _number("revision"),
    _number("good_revision"),
    _long("reason"),
    _flag("disabled"),
    _perhaps("disabled_reason", Text),
    UniqueConstraint("project_id", "name"),
    Index(None, "created_at", "oid"),
    Index(None, "status"),
)

web_cluster_nodes = Table(
    "web_cluster_nodes",
    metadata,
    _key(),
    _of_cluster(),
    Column("node_oid", String(ID), ForeignKey("devices.id"), nullable=False, index=True),
    _number("parallel", nullable=True),
    _perhaps("standby", Boolean),
    _flag("active"),
    _text("promoted_for", ID, nullable=True),
    _time("since"),
    _number("revision"),
    _number("confirmed_revision"),
    _flag("confirmed_active"),
    _perhaps("answers", Boolean),
    _time("good_since", nullable=True),
    _long("refused"),
    _flag("trusted"),
    _number("failures"),
    _time("created_at"),
    UniqueConstraint("cluster_oid", "node_oid"),
)

web_services = Table(
    "web_services",
    metadata,
    Column("oid", String(ID), primary_key=True),
    _of_cluster("webcluster_oid"),
    _long("path"),
    _text("type", ID),
    _text("label", nullable=True),
    _perhaps("description", Text),
    _perhaps("tags", Texts),
    _long("config"),
    _time("created_at"),
    UniqueConstraint("webcluster_oid", "path"),
)

web_cluster_revisions = Table(
    "web_cluster_revisions",
    metadata,
    Column("id", String(2 * ID), primary_key=True),
    _of_cluster(),
    _number("number"),
    _long("document"),
    _time("created_at"),
    UniqueConstraint("cluster_oid", "number"),
)
