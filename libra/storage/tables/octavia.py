"""Load balancers with their parts, and what is known of them."""

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

from libra.model.policy import Comparison, PolicyAction, RuleType
from libra.model.resources.listener import ListenerProtocol
from libra.model.resources.monitor import HealthMonitorType
from libra.model.resources.pool import PoolAlgorithm, PoolProtocol
from libra.model.tls import ClientAuthentication
from libra.storage.columns import Persistence
from libra.storage.tables.words import (
    ID,
    NAME,
    flag,
    long,
    metadata,
    number,
    owner,
    resource,
    text,
    texts,
    word,
)

# Of a listener's counters, which its device counts too, and the column for what it told last.
SEEN = {
    name: f"seen_{name}"
    for name in ("bytes_in", "bytes_out", "request_errors", "total_connections", "total_requests")
}


loadbalancers = resource(
    "loadbalancers",
    text("description"),
    text("vip_address"),
    text("vip_port_id", nullable=True),
    text("vip_subnet_id", nullable=True),
    text("vip_network_id", nullable=True),
    text("provider"),
    text("availability_zone", nullable=True),
    Column("device_id", String(ID), ForeignKey("devices.id"), nullable=True, index=True),
    number("generation"),
    long("reason"),
    Index(None, "provisioning_status"),
)

listeners = resource(
    "listeners",
    owner("loadbalancers", "loadbalancer_id"),
    word("protocol", ListenerProtocol),
    Column("protocol_port", Integer, nullable=False),
    text("description"),
    number("connection_limit"),
    Column("default_pool_id", String(ID), nullable=True, index=True),
    texts("insert_headers"),
    number("timeout_client_data"),
    number("timeout_member_connect"),
    number("timeout_member_data"),
    number("timeout_tcp_inspect"),
    texts("allowed_cidrs"),
    text("default_tls_container_ref", nullable=True),
    texts("sni_container_refs"),
    word("client_authentication", ClientAuthentication),
    text("client_ca_tls_container_ref", nullable=True),
    text("client_crl_container_ref", nullable=True),
    text("tls_ciphers", 1024, nullable=True),
    texts("tls_versions"),
    texts("alpn_protocols"),
    number("hsts_max_age", nullable=True),
    flag("hsts_include_subdomains"),
    flag("hsts_preload"),
    UniqueConstraint("loadbalancer_id", "protocol_port"),
)

pools = resource(
    "pools",
    owner("loadbalancers", "loadbalancer_id"),
    word("protocol", PoolProtocol),
    word("lb_algorithm", PoolAlgorithm),
    text("description"),
    Column("session_persistence", Persistence, nullable=True),
    flag("tls_enabled"),
    text("tls_container_ref", nullable=True),
    text("ca_tls_container_ref", nullable=True),
    text("crl_container_ref", nullable=True),
    text("tls_ciphers", 1024, nullable=True),
    texts("tls_versions"),
    texts("alpn_protocols"),
)

members = resource(
    "members",
    owner("loadbalancers", "loadbalancer_id"),
    owner("pools", "pool_id"),
    text("address"),
    Column("protocol_port", Integer, nullable=False),
    Column("weight", Integer, nullable=False),
    flag("backup"),
    text("subnet_id", nullable=True),
    text("monitor_address", nullable=True),
    Column("monitor_port", Integer, nullable=True),
    text("address_as_given", nullable=True),
    text("monitor_address_as_given", nullable=True),
    UniqueConstraint("pool_id", "address", "protocol_port"),
    Index(None, "address"),
)

monitors = resource(
    "monitors",
    owner("loadbalancers", "loadbalancer_id"),
    owner("pools", "pool_id"),
    word("type", HealthMonitorType),
    number("delay"),
    number("timeout"),
    number("max_retries"),
    number("max_retries_down"),
    text("http_method"),
    text("url_path", 1024),
    text("expected_codes", 1024),
    text("http_version", nullable=True),
    text("domain_name", nullable=True),
    UniqueConstraint("pool_id"),
)

l7policies = resource(
    "l7policies",
    owner("loadbalancers", "loadbalancer_id"),
    owner("listeners", "listener_id"),
    word("action", PolicyAction),
    text("description"),
    number("position"),
    Column("redirect_pool_id", String(ID), nullable=True, index=True),
    text("redirect_url", nullable=True),
    text("redirect_prefix", nullable=True),
    number("redirect_http_code", nullable=True),
)

l7rules = resource(
    "l7rules",
    owner("loadbalancers", "loadbalancer_id"),
    owner("l7policies", "l7policy_id"),
    word("type", RuleType),
    word("compare_type", Comparison),
    text("value"),
    text("key", nullable=True),
    flag("invert"),
)

addresses = Table(
    "addresses",
    metadata,
    Column("address", String(ID), primary_key=True),
    Column("pool", String(NAME), nullable=False, index=True),
    owner("loadbalancers", "loadbalancer_id"),
)

counters = Table(
    "counters",
    metadata,
    Column(
        "listener_id", String(ID), ForeignKey("listeners.id", ondelete="CASCADE"), primary_key=True
    ),
    owner("loadbalancers", "loadbalancer_id"),
    number("active_connections"),
    number("bytes_in"),
    number("bytes_out"),
    number("request_errors"),
    number("total_connections"),
    Column("total_requests", BigInteger, nullable=False, server_default="0"),
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
    long("tree"),
    Column("materials", Text, nullable=True),
)
