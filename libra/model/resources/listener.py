"""The listener: a protocol and a port on the load balancer's address."""

from dataclasses import dataclass
from enum import Enum

from libra.model.resources.resource import Resource
from libra.model.tls import ClientAuthentication


class ListenerProtocol(Enum):
    """What it speaks to clients. HTTPS passes TLS through, TERMINATED_HTTPS ends it here.

    PROMETHEUS answers with figures about its load balancer, and sends nothing anywhere.
    """

    HTTP = "HTTP"
    HTTPS = "HTTPS"
    TCP = "TCP"
    TERMINATED_HTTPS = "TERMINATED_HTTPS"
    PROMETHEUS = "PROMETHEUS"

    @property
    def is_http(self) -> bool:
        """True where requests of clients are seen on their way to members."""
        return self in (ListenerProtocol.HTTP, ListenerProtocol.TERMINATED_HTTPS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener(Resource):
    """Timeouts in milliseconds; `connection_limit` -1 means none; `allowed_cidrs` empty means everybody.

    `insert_headers` are (name, value) pairs as they came, sorted by name. References name secrets.
    """

    loadbalancer_id: str
    protocol: ListenerProtocol
    protocol_port: int
    description: str = ""
    connection_limit: int = -1
    default_pool_id: str | None = None
    insert_headers: tuple[tuple[str, str], ...] = ()
    timeout_client_data: int = 50_000
    timeout_member_connect: int = 5_000
    timeout_member_data: int = 50_000
    timeout_tcp_inspect: int = 0
    allowed_cidrs: tuple[str, ...] = ()
    default_tls_container_ref: str | None = None
    sni_container_refs: tuple[str, ...] = ()
    client_authentication: ClientAuthentication = ClientAuthentication.NONE
    client_ca_tls_container_ref: str | None = None
    client_crl_container_ref: str | None = None
    tls_ciphers: str | None = None
    tls_versions: tuple[str, ...] = ()
    alpn_protocols: tuple[str, ...] = ()
    hsts_max_age: int | None = None
    hsts_include_subdomains: bool = False
    hsts_preload: bool = False
