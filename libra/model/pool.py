"""A pool of members: where a listener's traffic goes."""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from libra.model.tls import MemberTls


class Algorithm(Enum):
    """How the next member is chosen."""

    ROUND_ROBIN = "ROUND_ROBIN"
    LEAST_CONNECTIONS = "LEAST_CONNECTIONS"
    SOURCE_IP = "SOURCE_IP"
    SOURCE_IP_PORT = "SOURCE_IP_PORT"  # one connection of a client always at one member


class Condition(Enum):
    """What the operator wants of a member."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"  # takes no traffic at all
    DRAINING = "DRAINING"  # serves what it has, takes nothing new


class MonitorType(Enum):
    """What a health check does."""

    CONNECT = "CONNECT"
    HTTP = "HTTP"
    HTTPS = "HTTPS"  # a request over TLS; certificates are not checked
    TLS_HELLO = "TLS-HELLO"
    PING = "PING"  # an ICMP echo: that the host is there, whatever runs on it


class PersistenceType(Enum):
    """What ties a client to a member."""

    HTTP_COOKIE = "HTTP_COOKIE"  # of the proxy's own
    SOURCE_IP = "SOURCE_IP"
    APP_COOKIE = "APP_COOKIE"  # of the members' own


BY_COOKIE = frozenset((PersistenceType.HTTP_COOKIE, PersistenceType.APP_COOKIE))


class PoolProtocol(Enum):
    """What members speak; HTTPS is passed through. The two PROXY ones put that header before it."""

    HTTP = "HTTP"
    HTTPS = "HTTPS"
    TCP = "TCP"
    PROXY = "PROXY"
    PROXYV2 = "PROXYV2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One target. `address` is a canonical IPv4 or IPv6 address or a lower-case host name.

    It is checked at `monitor_address` and `monitor_port`, where they are given.
    """

    id: str
    address: str
    port: int
    weight: int = 1
    condition: Condition = Condition.ENABLED
    backup: bool = False
    monitor_address: str | None = None
    monitor_port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthMonitor:
    """How members are checked.

    `attempts` checks in a row decide, in both directions unless `attempts_down` says how many do for the worse.
    `expected_codes` are inclusive ranges; `host` is the name that a request asks for, which makes it HTTP/1.1.
    """

    type: MonitorType
    delay: timedelta
    timeout: timedelta
    attempts: int
    path: str = "/"
    expected_codes: tuple[tuple[int, int], ...] = ((200, 299),)
    attempts_down: int | None = None
    method: str = "GET"
    http_version: str | None = None
    host: str | None = None

    @property
    def is_http(self) -> bool:
        """True where a check is a request."""
        return self.type in (MonitorType.HTTP, MonitorType.HTTPS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPersistence:
    """Keeps a client at one member, for as long as it does not stay away for `timeout` (None: the driver's default).

    `cookie_name` is not for SOURCE_IP, and required for APP_COOKIE.
    """

    type: PersistenceType
    cookie_name: str | None = None
    timeout: timedelta | None = None

    @property
    def by_cookie(self) -> bool:
        """True where requests must be seen."""
        return self.type in BY_COOKIE


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Members, and how traffic is spread over them.

    `id` is unique on a device, member ids are unique in the pool. A disabled pool serves nobody. `protocol` None means
    that of the listener. `tls` is spoken to members.
    """

    id: str
    members: tuple[Member, ...]
    name: str | None = None
    enabled: bool = True
    protocol: PoolProtocol | None = None
    algorithm: Algorithm = Algorithm.ROUND_ROBIN
    monitor: HealthMonitor | None = None
    persistence: SessionPersistence | None = None
    tls: MemberTls | None = None
