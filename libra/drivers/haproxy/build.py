"""Desired state to HAProxy's configuration: a pure function, equal states give equal configurations."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from libra.drivers.haproxy.config import (
    SOURCE,
    Backend,
    Check,
    Configuration,
    Frontend,
    Mode,
    Options,
    Server,
    ServerState,
)
from libra.drivers.haproxy.names import backend_name, frontend_name, server_name
from libra.drivers.haproxy.serverids import prefer_id, with_distinct_ids
from libra.model.listener import Listener, Protocol
from libra.model.loadbalancer import Desired
from libra.model.pool import (
    Algorithm,
    Condition,
    HealthMonitor,
    Member,
    MonitorType,
    PersistenceType,
    Pool,
)

DEFAULT_COOKIE = "libra"
_MODES = {Protocol.HTTP: Mode.HTTP, Protocol.TCP: Mode.TCP}
_BALANCE = {
    Algorithm.ROUND_ROBIN: "roundrobin",
    Algorithm.LEAST_CONNECTIONS: "leastconn",
    Algorithm.SOURCE_IP: SOURCE,
}
_STATES = {
    Condition.ENABLED: ServerState.READY,
    Condition.DRAINING: ServerState.DRAIN,
    Condition.DISABLED: ServerState.MAINT,
}


class PoolShape(NamedTuple):
    """What of its pool a server depends on."""

    pool: str
    numbered: bool


BuildServers = Callable[[PoolShape, Sequence[Member]], Sequence[Server]]


def build_servers(shape: PoolShape, members: Sequence[Member]) -> list[Server]:
    """The servers of a pool, in the order of its members."""
    return [build_server(shape, member) for member in members]


def build(
    desired: Desired, options: Options, servers: BuildServers = build_servers
) -> Configuration:
    """A frontend a listener and a backend a pool, in the order of the message.

    `servers` may be given by a caller who remembers what it built before.
    """
    listeners = [listener for lb in desired.loadbalancers for listener in lb.listeners]
    return Configuration(
        options=options,
        frontends=tuple(_build_frontend(item, disabled=desired.suspended) for item in listeners),
        backends=tuple(_build_backend(item, servers) for item in listeners),
    )


def _build_frontend(listener: Listener, *, disabled: bool) -> Frontend:
    return Frontend(
        name=frontend_name(listener.id),
        mode=_MODES[listener.protocol],
        port=listener.port,
        backend=backend_name(listener.pool.id),
        bind_address=listener.bind_address,
        max_connections=listener.connection_limit,
        forward_for=listener.x_forwarded_for,
        timeout_client=listener.timeouts.client,
        disabled=disabled,
    )


def _build_backend(listener: Listener, servers: BuildServers) -> Backend:
    pool = listener.pool
    backend = Backend(
        name=backend_name(pool.id),
        mode=_MODES[listener.protocol],
        balance=_BALANCE[pool.algorithm],
        servers=(),
        check=_build_check(pool.monitor) if pool.monitor else None,
        cookie=_cookie(pool),
        stick=_persistence(pool) is PersistenceType.SOURCE_IP,
        timeout_server=listener.timeouts.server,
        timeout_connect=listener.timeouts.connect,
        retries=listener.connect_retries,
    )
    built = servers(PoolShape(pool.id, backend.numbered), pool.members)
    return replace(backend, servers=with_distinct_ids(built) if backend.numbered else tuple(built))


def build_server(shape: PoolShape, member: Member) -> Server:
    """One member as HAProxy's server, with the id it prefers where it needs one."""
    name = server_name(member.id)
    return Server(
        name=name,
        address=member.address,
        port=member.port,
        weight=member.weight,
        state=_STATES[member.condition],
        backup=member.backup,
        id=prefer_id(name) if shape.numbered else None,
    )


def _build_check(monitor: HealthMonitor) -> Check:
    http = monitor.type is MonitorType.HTTP
    return Check(
        interval=monitor.delay,
        timeout=monitor.timeout,
        attempts=monitor.attempts,
        uri=monitor.path if http else None,
        expected_codes=monitor.expected_codes if http else (),
    )


def _persistence(pool: Pool) -> PersistenceType | None:
    return pool.persistence.type if pool.persistence else None


def _cookie(pool: Pool) -> str | None:
    if pool.persistence is None or pool.persistence.type is not PersistenceType.HTTP_COOKIE:
        return None
    return pool.persistence.cookie_name or DEFAULT_COOKIE
