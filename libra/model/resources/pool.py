"""The pool: members of one load balancer, and how traffic is spread over them."""

from dataclasses import dataclass
from enum import Enum

from libra.model.resources.resource import Resource


class PoolProtocol(Enum):
    """What members speak. PROXY and PROXYV2 put HAProxy's PROXY header before the listener's protocol."""

    HTTP = "HTTP"
    HTTPS = "HTTPS"
    TCP = "TCP"
    PROXY = "PROXY"
    PROXYV2 = "PROXYV2"


class PoolAlgorithm(Enum):
    """How the next member is chosen."""

    ROUND_ROBIN = "ROUND_ROBIN"
    LEAST_CONNECTIONS = "LEAST_CONNECTIONS"
    SOURCE_IP = "SOURCE_IP"
    SOURCE_IP_PORT = "SOURCE_IP_PORT"


class PersistenceKind(Enum):
    """What ties a client to a member."""

    SOURCE_IP = "SOURCE_IP"
    HTTP_COOKIE = "HTTP_COOKIE"
    APP_COOKIE = "APP_COOKIE"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPersistence:
    """`cookie_name` for APP_COOKIE only, and required there; `timeout` in minutes as the field has it, or None."""

    type: PersistenceKind
    cookie_name: str | None = None
    persistence_timeout: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool(Resource):
    """Belongs to the load balancer; any number of its listeners may send there.

    With `tls_enabled` members are spoken to over TLS: they are shown the certificate of `tls_container_ref`, and must
    show one of the authorities in `ca_tls_container_ref`, where these are given.
    """

    loadbalancer_id: str
    protocol: PoolProtocol
    lb_algorithm: PoolAlgorithm = PoolAlgorithm.ROUND_ROBIN
    description: str = ""
    session_persistence: PoolPersistence | None = None
    tls_enabled: bool = False
    tls_container_ref: str | None = None
    ca_tls_container_ref: str | None = None
    crl_container_ref: str | None = None
    tls_ciphers: str | None = None
    tls_versions: tuple[str, ...] = ()
    alpn_protocols: tuple[str, ...] = ()
