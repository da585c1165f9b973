"""Request bodies of Octavia's API v2: what may be created, and what of it may be changed."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from libra.api.schemas.named import Described, Named
from libra.api.schemas.policies import PolicyUpdate, RuleBody
from libra.api.schemas.types import (
    Absent,
    Address,
    Body,
    Codes,
    CookieName,
    HostAddress,
    HostName,
    Id,
    Network,
    NoCiphers,
    NoReference,
    Path,
    Reference,
    Text,
    Whole,
    later,
)
from libra.messages.version2.listeners import MAX_AGE, MAX_MILLISECONDS
from libra.messages.version2.policies import MAX_POLICIES, MAX_RULES
from libra.model.listener import ToldHeader
from libra.model.policy import PolicyAction
from libra.model.resources.listener import ListenerProtocol
from libra.model.resources.loadbalancer import NOOP
from libra.model.resources.monitor import HealthMonitorType
from libra.model.resources.pool import (
    PersistenceKind,
    PoolAlgorithm,
    PoolPersistence,
    PoolProtocol,
)
from libra.model.tls import ClientAuthentication


def _as_text(value: object) -> object:
    """Clients send the number 1.1."""
    return str(float(value)) if isinstance(value, int | float) else value


NO_DATAGRAMS = "HAProxy balances connections of TCP, and neither UDP nor SCTP"
Port = Annotated[Whole, Field(ge=1, le=65535)]
Count = Annotated[Whole, Field(ge=-1, le=2**31 - 1)]
Weight = Annotated[Whole, Field(ge=0, le=256)]
Timeout = Annotated[Whole, Field(ge=0, le=MAX_MILLISECONDS)]
Seconds = Annotated[Whole, Field(ge=1, le=3600)]
Tries = Annotated[Whole, Field(ge=1, le=10)]
Method = Literal["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"]
HttpVersion = Annotated[Literal["1.0", "1.1"], BeforeValidator(_as_text)]
ListenerKind = Annotated[ListenerProtocol, later("UDP", "SCTP", why=NO_DATAGRAMS)]
PoolKind = Annotated[PoolProtocol, later("UDP", "SCTP", why=NO_DATAGRAMS)]
MonitorKind = Annotated[HealthMonitorType, later("UDP-CONNECT", "SCTP", why=NO_DATAGRAMS)]
TlsVersions = Literal["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]
Alpn = Literal["h2", "http/1.1", "http/1.0"]
PROVIDERS = {
    "libra": "HAProxy on plain hosts.",
    "octavia": "The same for clients that ask for it.",
    "amphora": "The same for clients that ask for it.",
    NOOP: "Records alone. It serves nothing and nobody looks whether it does.",
}
"""One, what clients call it that were made for another, each of which is told what it said, and none."""
HEADERS = ("X-Forwarded-For", *(item.value for item in ToldHeader))
OF_CERTIFICATES = frozenset(item.value for item in ToldHeader if item.of_certificate)


class PersistenceChange(Body):
    """Of what ties clients already, only what is given changes."""

    type: PersistenceKind | None = None
    cookie_name: CookieName | None = None
    persistence_timeout: Annotated[Whole, Field(ge=1, le=10080)] | None = None
    persistence_granularity: Text | None = None

    @model_validator(mode="after")
    def _of_connections(self) -> "PersistenceChange":
        if self.persistence_granularity is not None:
            raise ValueError("persistence_granularity is for UDP and SCTP only")
        return self


class PersistenceBody(PersistenceChange):
    """What ties clients to members."""

    type: PersistenceKind

    @model_validator(mode="after")
    def _fitting(self) -> "PersistenceBody":
        wants_name = self.type is PersistenceKind.APP_COOKIE
        if wants_name != (self.cookie_name is not None):
            raise ValueError("cookie_name is for APP_COOKIE, and required there")
        return self

    def record(self) -> PoolPersistence:
        """As it is stored."""
        return PoolPersistence(
            type=self.type,
            cookie_name=self.cookie_name,
            persistence_timeout=self.persistence_timeout,
        )


class MemberUpdate(Named):
    """Address and port stay."""

    weight: Weight | None = None
    backup: bool | None = None
    monitor_address: HostAddress | None = None
    monitor_port: Port | None = None


class MemberBody(MemberUpdate):
    """One target."""

    address: HostAddress
    protocol_port: Port
    subnet_id: Id | None = None
    vnic_type: Annotated[Literal["normal"], later("direct")] | None = None
    request_sriov: Absent = None
    project_id: Text | None = None
    tenant_id: Text | None = None


class MonitorUpdate(Named):
    """Its type stays."""

    delay: Seconds | None = None
    timeout: Seconds | None = None
    max_retries: Tries | None = None
    max_retries_down: Tries | None = None
    http_method: Method | None = None
    url_path: Path | None = None
    expected_codes: Codes | None = None
    http_version: HttpVersion | None = None
    domain_name: HostName | None = None


class NestedMonitorBody(MonitorUpdate):
    """With its pool."""

    type: MonitorKind
    delay: Seconds
    timeout: Seconds
    max_retries: Tries
    project_id: Text | None = None
    tenant_id: Text | None = None


class MonitorBody(NestedMonitorBody):
    """For a pool that is there."""

    pool_id: Id


class PoolUpdate(Described):
    """Its protocol stays."""

    lb_algorithm: PoolAlgorithm | None = None
    session_persistence: PersistenceChange | None = None
    tls_enabled: bool | None = None
    tls_container_ref: NoReference = None
    ca_tls_container_ref: NoReference = None
    crl_container_ref: NoReference = None
    tls_ciphers: NoCiphers = None
    tls_versions: Annotated[list[TlsVersions], Field(max_length=4)] | None = None
    alpn_protocols: Annotated[list[Alpn], Field(max_length=3)] | None = None


class NestedPoolBody(PoolUpdate):
    """With its load balancer; one with nothing but a name means another in the request."""

    protocol: PoolKind | None = None
    session_persistence: PersistenceBody | None = None
    members: Annotated[list[MemberBody], Field(max_length=5000)] | None = None
    healthmonitor: NestedMonitorBody | None = None
    project_id: Text | None = None
    tenant_id: Text | None = None


class PoolBody(NestedPoolBody):
    """Of a load balancer or a listener."""

    protocol: PoolKind
    lb_algorithm: PoolAlgorithm
    loadbalancer_id: Id | None = None
    listener_id: Id | None = None


class ListenerUpdate(Described):
    """Protocol and port stay."""

    connection_limit: Annotated[Whole, Field(ge=-1, le=10_000_000)] | None = None
    default_pool_id: Id | None = None
    insert_headers: Annotated[dict[str, Any], Field(max_length=20)] | None = None
    timeout_client_data: Timeout | None = None
    timeout_member_connect: Timeout | None = None
    timeout_member_data: Timeout | None = None
    timeout_tcp_inspect: Timeout | None = None
    allowed_cidrs: Annotated[list[Network], Field(max_length=1000)] | None = None
    default_tls_container_ref: NoReference = None
    sni_container_refs: Annotated[list[Reference], Field(max_length=99)] | None = None
    client_authentication: ClientAuthentication | None = None
    client_ca_tls_container_ref: NoReference = None
    client_crl_container_ref: NoReference = None
    tls_ciphers: NoCiphers = None
    tls_versions: Annotated[list[TlsVersions], Field(max_length=4)] | None = None
    alpn_protocols: Annotated[list[Alpn], Field(max_length=3)] | None = None
    hsts_max_age: Annotated[Whole, Field(ge=0, le=MAX_AGE)] | None = None
    hsts_include_subdomains: bool | None = None
    hsts_preload: bool | None = None


class NestedPolicyBody(PolicyUpdate):
    """With its load balancer."""

    action: PolicyAction
    redirect_pool: NestedPoolBody | None = None
    rules: Annotated[list[RuleBody], Field(max_length=MAX_RULES)] | None = None
    project_id: Text | None = None
    tenant_id: Text | None = None


class NestedListenerBody(ListenerUpdate):
    """With its load balancer."""

    protocol: ListenerKind
    protocol_port: Port
    default_pool: NestedPoolBody | None = None
    l7policies: Annotated[list[NestedPolicyBody], Field(max_length=MAX_POLICIES)] | None = None
    project_id: Text | None = None
    tenant_id: Text | None = None


class ListenerBody(NestedListenerBody):
    """For a load balancer that is there."""

    loadbalancer_id: Id


class LoadBalancerUpdate(Described):
    """Its address stays."""

    vip_qos_policy_id: Absent = None
    vip_sg_ids: Absent = None


class LoadBalancerBody(LoadBalancerUpdate):
    """At least one of subnet, network and port tells the address pool."""

    vip_address: Address | None = None
    vip_subnet_id: Text | None = None
    vip_network_id: Text | None = None
    vip_port_id: Text | None = None
    provider: Text | None = None
    project_id: Text | None = None
    tenant_id: Text | None = None
    listeners: Annotated[list[NestedListenerBody], Field(max_length=500)] | None = None
    pools: Annotated[list[NestedPoolBody], Field(max_length=500)] | None = None
    vip_vnic_type: Annotated[Literal["normal"], later("direct")] | None = None
    additional_vips: Absent = None
    flavor_id: Absent = None
    availability_zone: Annotated[
        Text | None,
        AfterValidator(lambda zone: zone or None),
        Field(description="a device pool, or an alias of some: it is placed there"),
    ] = None


class QuotaBody(Body):
    """Both spellings; null means the default again."""

    load_balancer: Count | None = None
    loadbalancer: Count | None = None
    listener: Count | None = None
    pool: Count | None = None
    member: Count | None = None
    health_monitor: Count | None = None
    healthmonitor: Count | None = None
    l7policy: Count | None = None
    l7rule: Count | None = None


class LoadBalancerCreate(Body):
    """The envelope."""

    loadbalancer: LoadBalancerBody


class LoadBalancerChange(Body):
    """The envelope."""

    loadbalancer: LoadBalancerUpdate


class ListenerCreate(Body):
    """The envelope."""

    listener: ListenerBody


class ListenerChange(Body):
    """The envelope."""

    listener: ListenerUpdate


class PoolCreate(Body):
    """The envelope."""

    pool: PoolBody


class PoolChange(Body):
    """The envelope."""

    pool: PoolUpdate


class MemberCreate(Body):
    """The envelope."""

    member: MemberBody


class MemberChange(Body):
    """The envelope."""

    member: MemberUpdate


class MembersBatch(Body):
    """Every member of a pool."""

    members: Annotated[list[MemberBody], Field(max_length=5000)]


class MonitorCreate(Body):
    """The envelope."""

    healthmonitor: MonitorBody


class MonitorChange(Body):
    """The envelope."""

    healthmonitor: MonitorUpdate


class QuotaChange(Body):
    """The envelope."""

    quota: QuotaBody
