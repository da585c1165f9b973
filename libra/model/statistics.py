"""What a device reports of its load balancers. All counters only ever grow."""

from dataclasses import dataclass
from enum import Enum


class OperatingStatus(Enum):
    """How a load balancer does, measured."""

    ONLINE = "ONLINE"
    DEGRADED = "DEGRADED"  # some members fail their checks
    ERROR = "ERROR"  # no member can take traffic
    SUSPENDED = "SUSPENDED"


class MemberStatus(Enum):
    """How a member does, measured."""

    UP = "UP"
    DOWN = "DOWN"
    DRAIN = "DRAIN"
    MAINT = "MAINT"
    NO_CHECK = "no check"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberStatistics:
    """One member; `last_check` is the proxy's own word (L4OK, L7STS/500, ...) or None."""

    id: str
    address: str
    port: int
    status: MemberStatus
    last_check: str | None
    current_sessions: int
    total_sessions: int
    bytes_in: int
    bytes_out: int
    errors: int


class ListenerStatus(Enum):
    """Whether a listener takes connections."""

    OPEN = "OPEN"
    FULL = "FULL"  # as many as it may have
    STOPPED = "STOPPED"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerStatistics:
    """One listener; `errors` are faulty requests. Where it speaks no HTTP, a connection counts as a request."""

    id: str
    status: ListenerStatus
    bytes_in: int
    bytes_out: int
    current_sessions: int
    total_sessions: int
    errors: int
    total_requests: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatistics:
    """One pool; `status` is UP, DOWN, or NO_CHECK where nothing is checked."""

    id: str
    status: MemberStatus
    members: tuple[MemberStatistics, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancerStatistics:
    """One load balancer: sums over its listeners, all members, and the parts one by one.

    `protocol` is that of the first listener, empty where there is none.
    """

    id: str
    name: str | None
    protocol: str
    status: OperatingStatus
    bytes_in: int
    bytes_out: int
    current_sessions: int
    total_sessions: int
    errors: int
    members: tuple[MemberStatistics, ...]
    listeners: tuple[ListenerStatistics, ...] = ()
    pools: tuple[PoolStatistics, ...] = ()
