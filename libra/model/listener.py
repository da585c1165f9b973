"""A listener: where a load balancer takes connections."""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from libra.model.policy import Policy
from libra.model.pool import Pool
from libra.model.tls import StrictTransport, Tls
from libra.model.webservice import ReverseProxy, WebService


class Protocol(Enum):
    """What a listener speaks."""

    HTTP = "HTTP"
    TCP = "TCP"


class ToldHeader(Enum):
    """What a listener can tell members of a client, in a request header of that name."""

    FORWARDED_PORT = "X-Forwarded-Port"
    FORWARDED_PROTO = "X-Forwarded-Proto"
    FORWARDED_IP = "X-Forwarded-IP"
    CLIENT_IP = "X-Client-IP"
    REAL_IP = "X-Real-IP"
    # Of the certificate that the client has shown.
    SSL_CLIENT_VERIFY = "X-SSL-Client-Verify"
    SSL_CLIENT_HAS_CERT = "X-SSL-Client-Has-Cert"
    SSL_CLIENT_DN = "X-SSL-Client-DN"
    SSL_CLIENT_CN = "X-SSL-Client-CN"
    SSL_ISSUER = "X-SSL-Issuer"
    SSL_CLIENT_SHA1 = "X-SSL-Client-SHA1"
    SSL_CLIENT_NOT_BEFORE = "X-SSL-Client-Not-Before"
    SSL_CLIENT_NOT_AFTER = "X-SSL-Client-Not-After"

    @property
    def of_certificate(self) -> bool:
        """True where TLS must end for there to be any."""
        return self.value.startswith("X-SSL-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """None leaves the driver's default."""

    client: timedelta | None = None
    server: timedelta | None = None
    connect: timedelta | None = None
    inspect: timedelta | None = None  # how long the first bytes of a TCP connection are waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Where connections come in; `id` is unique on a device.

    Without a pool it answers with 503, or closes. `bind_address` None means the address of its load balancer, and
    every IPv4 address of the device where that has none; `connection_limit` None means no limit. `allowed_cidrs` are
    canonical networks, empty means everybody. `headers` are told to members, besides X-Forwarded-For. `tls` makes
    HTTP what clients know as HTTPS.

    With `services` it answers by path, by the longest that fits, and has no pool of its own; where nothing fits it
    answers 404, and where there are none (yet) to everything; None is a listener without paths. `ip_version` 4 or 6
    limits it to that; `threads` is how many of the proxy's serve it; `shared` lets other programs listen on the same
    port.

    `policies`, which are for HTTP without services, look at each request: those that reject first, then those to
    elsewhere, then those to a pool; of these the first one that fits.
    """

    id: str
    protocol: Protocol
    port: int
    pool: Pool | None
    name: str | None = None
    enabled: bool = True
    bind_address: str | None = None
    connection_limit: int | None = None
    x_forwarded_for: bool = False
    timeouts: Timeouts = Timeouts()
    connect_retries: int | None = None
    allowed_cidrs: tuple[str, ...] = ()
    headers: tuple[ToldHeader, ...] = ()
    hsts: StrictTransport | None = None
    tls: Tls | None = None
    services: tuple[WebService, ...] | None = None
    policies: tuple[Policy, ...] = ()
    ip_version: int | None = None
    backlog: int | None = None
    threads: int | None = None
    access_log: bool = True
    shared: bool = False

    @property
    def pools(self) -> tuple[Pool, ...]:
        """Those that it sends to, in their order."""
        own = (self.pool,) if self.pool is not None else ()
        return (
            *own,
            *(item.pool for item in self.policies if item.pool is not None),
            *(item.pool for item in self.services or () if isinstance(item, ReverseProxy)),
        )
