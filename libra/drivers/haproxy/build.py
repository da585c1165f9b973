"""Desired state to HAProxy's configuration: a pure function, equal states give equal configurations."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from libra.drivers.haproxy.branches import build_branches
from libra.drivers.haproxy.config import (
    BY_CONNECTION,
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
from libra.drivers.haproxy.materials import build_networks, build_paths, build_server_tls, build_tls
from libra.drivers.haproxy.names import backend_name, frontend_name, server_name
from libra.drivers.haproxy.pinging.targets import is_pinged
from libra.drivers.haproxy.reporter import build_reporter
from libra.drivers.haproxy.serverids import prefer_id, with_distinct_ids
from libra.drivers.haproxy.services import IPV6, build_rewrite, build_routes, find_service
from libra.model.listener import Listener, Protocol, ToldHeader
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.pool import (
    Algorithm,
    Condition,
    HealthMonitor,
    Member,
    MonitorType,
    PersistenceType,
    Pool,
    PoolProtocol,
    SessionPersistence,
)
from libra.model.tls import StrictTransport

DEFAULT_COOKIE = "libra"
_MODES = {Protocol.HTTP: Mode.HTTP, Protocol.TCP: Mode.TCP}
_BALANCE = {
    Algorithm.ROUND_ROBIN: "roundrobin",
    Algorithm.LEAST_CONNECTIONS: "leastconn",
    Algorithm.SOURCE_IP: SOURCE,
    Algorithm.SOURCE_IP_PORT: BY_CONNECTION,
}
_SEND_PROXY = {PoolProtocol.PROXY: "send-proxy", PoolProtocol.PROXYV2: "send-proxy-v2"}
_STATES = {
    Condition.ENABLED: ServerState.READY,
    Condition.DRAINING: ServerState.DRAIN,
    Condition.DISABLED: ServerState.MAINT,
}


class PoolShape(NamedTuple):
    """What of its pool a server depends on."""

    pool: str
    numbered: bool
    enabled: bool


BuildServers = Callable[[PoolShape, Sequence[Member]], Sequence[Server]]


class Part(NamedTuple):
    """The sections of one load balancer."""

    frontends: tuple[Frontend, ...]
    backends: tuple[Backend, ...]


class Use(NamedTuple):
    """A pool and the listeners that send to it."""

    pool: Pool
    listeners: tuple[Listener, ...]


def build_servers(shape: PoolShape, members: Sequence[Member]) -> list[Server]:
    """The servers of a pool, in the order of its members."""
    return [build_server(shape, member) for member in members]


def build(
    desired: Desired, options: Options, servers: BuildServers = build_servers
) -> Configuration:
    """A frontend a listener and a backend a pool, in the order of the message.

    `servers` may be given by a caller who remembers what it built before.
    """
    parts = [
        build_part(loadbalancer, servers, suspended=desired.suspended)
        for loadbalancer in desired.loadbalancers
    ]
    return join_parts([*parts, *build_own(desired, options)], options)


def build_own(desired: Desired, options: Options) -> list[Part]:
    """What belongs to no load balancer: the health reporter, where this host has one."""
    if options.health_reporter is None:
        return []
    return [Part((build_reporter(options.health_reporter, desired.nodes or ()),), ())]


def build_part(loadbalancer: LoadBalancer, servers: BuildServers, *, suspended: bool) -> Part:
    """What one load balancer is in HAProxy's file."""
    frontends = (
        _build_frontend(loadbalancer, listener, suspended=suspended)
        for listener in loadbalancer.listeners
    )
    backends = (_build_backend(use, servers) for use in _uses(loadbalancer))
    return Part(tuple(frontends), tuple(backends))


def join_parts(parts: Sequence[Part], options: Options) -> Configuration:
    """All of them, in their order."""
    return Configuration(
        options=options,
        frontends=tuple(item for part in parts for item in part.frontends),
        backends=tuple(item for part in parts for item in part.backends),
    )


def _uses(loadbalancer: LoadBalancer) -> list[Use]:
    return [
        Use(
            pool,
            tuple(
                item for item in loadbalancer.listeners if any(one is pool for one in item.pools)
            ),
        )
        for pool in loadbalancer.pools
    ]


def _build_frontend(loadbalancer: LoadBalancer, listener: Listener, *, suspended: bool) -> Frontend:
    routes = build_routes(listener)
    return Frontend(
        name=frontend_name(listener.id),
        mode=_MODES[listener.protocol],
        port=listener.port,
        backend=backend_name(listener.pool.id) if listener.pool else None,
        bind_address=listener.bind_address or loadbalancer.address,
        max_connections=listener.connection_limit,
        forward_for=listener.x_forwarded_for,
        timeout_client=listener.timeouts.client,
        disabled=suspended or not (loadbalancer.enabled and listener.enabled),
        told=tuple((item.value, _told(item, listener)) for item in listener.headers),
        hsts=_build_hsts(listener.hsts) if listener.hsts else None,
        inspect_delay=listener.timeouts.inspect,
        allowed=build_networks(listener) if listener.allowed_cidrs else None,
        tls=build_tls(listener, listener.tls) if listener.tls else None,
        branches=build_branches(listener),
        routes=routes,
        paths=build_paths(listener, routes or ()),
        only_ipv6=listener.ip_version == IPV6,
        backlog=listener.backlog,
        threads=listener.threads,
        quiet=not listener.access_log,
        shared=listener.shared,
    )


_OF_CERTIFICATE = {
    ToldHeader.SSL_CLIENT_VERIFY: "%[ssl_c_verify]",
    ToldHeader.SSL_CLIENT_HAS_CERT: "%[ssl_c_used]",
    ToldHeader.SSL_CLIENT_DN: "%[ssl_c_s_dn]",
    ToldHeader.SSL_CLIENT_CN: "%[ssl_c_s_dn(cn)]",
    ToldHeader.SSL_ISSUER: "%[ssl_c_i_dn]",
    ToldHeader.SSL_CLIENT_SHA1: "%[ssl_c_sha1,hex]",
    ToldHeader.SSL_CLIENT_NOT_BEFORE: "%[ssl_c_notbefore]",
    ToldHeader.SSL_CLIENT_NOT_AFTER: "%[ssl_c_notafter]",
}


def _told(header: ToldHeader, listener: Listener) -> str:
    if header.of_certificate:
        return _OF_CERTIFICATE[header]
    if header is ToldHeader.FORWARDED_PORT:
        return "%[dst_port]"
    if header is ToldHeader.FORWARDED_PROTO:
        return "https" if listener.tls else "http"
    return "%[src]"


def _build_hsts(hsts: StrictTransport) -> str:
    subdomains = "; includeSubDomains" if hsts.include_subdomains else ""
    return f"max-age={hsts.max_age}{subdomains}{'; preload' if hsts.preload else ''}"


def _build_backend(use: Use, servers: BuildServers) -> Backend:
    pool, listeners = use
    service = find_service(listeners, pool)
    persistence = pool.persistence
    kind = persistence.type if persistence else None
    backend = Backend(
        name=backend_name(pool.id),
        mode=_MODES[listeners[0].protocol],
        balance=_BALANCE[pool.algorithm],
        servers=(),
        check=_build_check(pool.monitor) if pool.monitor and not is_pinged(pool) else None,
        pinged=is_pinged(pool),
        cookie=_cookie(persistence) if kind is PersistenceType.HTTP_COOKIE else None,
        stick=kind is PersistenceType.SOURCE_IP,
        stick_cookie=_cookie(persistence) if kind is PersistenceType.APP_COOKIE else None,
        stick_expiry=persistence.timeout if persistence else None,
        send_proxy=_SEND_PROXY.get(pool.protocol) if pool.protocol else None,
        timeout_server=_longest(item.timeouts.server for item in listeners),
        timeout_connect=_longest(item.timeouts.connect for item in listeners),
        retries=max((item.connect_retries or 0 for item in listeners), default=0)
        if any(item.connect_retries is not None for item in listeners)
        else None,
        timeout_tunnel=service.timeout_tunnel if service else None,
        tls=build_server_tls(pool, pool.tls) if pool.tls else None,
        rewrite=build_rewrite(listeners[0], service) if service else None,
    )
    built = servers(PoolShape(pool.id, backend.numbered, pool.enabled), pool.members)
    return replace(backend, servers=with_distinct_ids(built) if backend.numbered else tuple(built))


def _longest(values: Iterable[timedelta | None]) -> timedelta | None:
    """A pool that several listeners share has the patience of the most patient."""
    return max((value for value in values if value is not None), default=None)


def build_server(shape: PoolShape, member: Member) -> Server:
    """One member as HAProxy's server, with the id it prefers where it needs one."""
    name = server_name(member.id)
    return Server(
        name=name,
        address=member.address,
        port=member.port,
        weight=member.weight,
        state=_STATES[member.condition] if shape.enabled else ServerState.MAINT,
        backup=member.backup,
        id=prefer_id(name) if shape.numbered else None,
        check_address=member.monitor_address,
        check_port=member.monitor_port,
    )


def _build_check(monitor: HealthMonitor) -> Check:
    return Check(
        interval=monitor.delay,
        timeout=monitor.timeout,
        attempts=monitor.attempts,
        attempts_down=monitor.attempts_down,
        uri=monitor.path if monitor.is_http else None,
        expected_codes=monitor.expected_codes if monitor.is_http else (),
        method=monitor.method,
        http_version=monitor.http_version,
        host=monitor.host,
        tls=monitor.type is MonitorType.HTTPS,
        hello=monitor.type is MonitorType.TLS_HELLO,
    )


def _cookie(persistence: SessionPersistence | None) -> str:
    return (persistence.cookie_name if persistence else None) or DEFAULT_COOKIE
