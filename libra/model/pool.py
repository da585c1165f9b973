"""A pool of members: where a listener's traffic goes."""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum


class Algorithm(Enum):
    """How the next member is chosen."""

    ROUND_ROBIN = "ROUND_ROBIN"
    LEAST_CONNECTIONS = "LEAST_CONNECTIONS"
    SOURCE_IP = "SOURCE_IP"


class Condition(Enum):
    """What the operator wants of a member."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"  # takes no traffic at all
    DRAINING = "DRAINING"  # serves what it has, takes nothing new


class MonitorType(Enum):
    """What a health check does."""

    CONNECT = "CONNECT"
    HTTP = "HTTP"


class PersistenceType(Enum):
    """What ties a client to a member."""

    HTTP_COOKIE = "HTTP_COOKIE"
    SOURCE_IP = "SOURCE_IP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One target. `address` is a canonical IPv4 or IPv6 address or a lower-case host name."""

    id: str
    address: str
    port: int
    weight: int = 1
    condition: Condition = Condition.ENABLED
    backup: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthMonitor:
    """How members are checked.

    `attempts` checks in a row decide, in both directions; `expected_codes` are inclusive ranges.
    """

    type: MonitorType
    delay: timedelta
    timeout: timedelta
    attempts: int
    path: str = "/"
    expected_codes: tuple[tuple[int, int], ...] = ((200, 299),)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPersistence:
    """Keeps a client at one member; `cookie_name` only for HTTP_COOKIE."""

    type: PersistenceType
    cookie_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Members, and how traffic is spread over them.

    `id` is unique on a device, member ids are unique in the pool.
    """

    id: str
    members: tuple[Member, ...]
    algorithm: Algorithm = Algorithm.ROUND_ROBIN
    monitor: HealthMonitor | None = None
    persistence: SessionPersistence | None = None
