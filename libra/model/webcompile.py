"""From the definition of a web cluster to what one of its nodes is told: a load balancer with one listener. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_OID, uuid5

from libra.errors import CannotStart
from libra.model.listener import Listener, Protocol, Timeouts
from libra.model.loadbalancer import LoadBalancer
from libra.model.pool import Algorithm, HealthMonitor, Member, MonitorType, Pool, PoolProtocol
from libra.model.tls import Certificate, ClientAuthentication, StrictTransport, Tls, TlsVersion
from libra.model.translate import parse_codes
from libra.model.webcluster import StoredWebService
from libra.model.webdefinition import WebDefinition, WebTls
from libra.model.webservice import (
    ROOT,
    Json,
    NodeInfo,
    Redirect,
    ReverseProxy,
    Static,
    WebService,
    canonical,
)
from libra.model.webservices import RoutedService, WebServiceType, flatten

HSTS_SECONDS = 365 * 24 * 3600
CACHE_SECONDS = 43_200
TUNNEL = timedelta(hours=1)
_VERSIONS = (TlsVersion.TLS_1_2, TlsVersion.TLS_1_3)
_ALPN = ("h2", "http/1.1")
_MONITORS = {"HTTP": MonitorType.HTTP, "TCP": MonitorType.CONNECT}
Config = Mapping[str, Any]


def listener_id(cluster_oid: str) -> str:
    """The id of its one listener on every node, and of its load balancer there."""
    return cluster_oid


def compile_node(
    definition: WebDefinition, *, parallel: int | None, active: bool, key: str = ""
) -> LoadBalancer:
    """What a node runs that has it; one that is not active loads and checks it, and does not listen.

    `key` is the opened key where the definition has TLS. Raises `CannotStart` where no port has been chosen yet.
    """
    if definition.tcp_port is None:
        raise CannotStart(f"cannot run the web cluster '{definition.name}': it has no port yet")
    identity = listener_id(definition.cluster_oid)
    client = definition.http_client_timeout
    listener = Listener(
        id=identity,
        name=definition.name,
        enabled=active,
        protocol=Protocol.HTTP,
        port=definition.tcp_port,
        pool=None,
        bind_address=definition.tcp_interface,
        x_forwarded_for=True,
        timeouts=Timeouts(client=timedelta(seconds=client) if client else None),
        hsts=_hsts(definition),
        tls=_tls(identity, definition.tls, key) if definition.tls else None,
        services=tuple(map(_service, flatten(definition.services))),
        ip_version=definition.tcp_version,
        backlog=definition.tcp_backlog,
        threads=parallel,
        access_log=bool(definition.http_access_log),
        shared=bool(definition.tcp_shared),
    )
    return LoadBalancer(id=identity, name=definition.name, listeners=(listener,))


def _hsts(definition: WebDefinition) -> StrictTransport | None:
    if not definition.http_hsts:
        return None
    age = definition.http_hsts_max_age
    return StrictTransport(max_age=HSTS_SECONDS if age is None else age)


def _tls(identity: str, tls: WebTls, key: str) -> Tls:
    authentication = ClientAuthentication.NONE
    if tls.client_ca is not None:
        authentication = ClientAuthentication.MANDATORY
    return Tls(
        certificates=(Certificate(id=identity, chain=tls.chain, key=key),),
        client_authentication=authentication,
        client_ca=tls.client_ca,
        versions=_VERSIONS,
        ciphers=tls.ciphers,
        alpn=_ALPN,
        dhparam=tls.dhparam,
    )


def _service(service: RoutedService) -> WebService:
    return _BUILDERS[service.type](service)


def _redirect(service: RoutedService) -> WebService:
    config = service.config
    return Redirect(path=service.path, url=config["url"], code=config.get("code", 302))


def _json(service: RoutedService) -> WebService:
    options = service.config.get("options", {})
    return Json(path=service.path, text=canonical(service.config["value"]), **options)


def _nodeinfo(service: RoutedService) -> WebService:
    return NodeInfo(path=service.path)


def _static(service: RoutedService) -> WebService:
    options = service.config.get("options", {})
    return Static(
        path=service.path,
        directory=service.config["directory"].rstrip("/"),
        default_file=options.get("default_file"),
        listing=options.get("enable_directory_listing", False),
        cache_seconds=options.get("cache_timeout", CACHE_SECONDS),
        mime_types=tuple(sorted(options.get("mime_types", {}).items())),
    )


def _reverse_proxy(service: RoutedService) -> WebService:
    config = service.config
    return ReverseProxy(
        path=service.path,
        pool=_pool(service, config),
        base_path=_base(config),
        forwarded_port=config.get("forwarded_port"),
        forwarded_proto=config.get("forwarded_proto"),
    )


def _websocket(service: RoutedService) -> WebService:
    config = service.config
    tunnel = config.get("tunnel_timeout")
    return ReverseProxy(
        path=service.path,
        pool=_pool(service, config),
        base_path=_base(config),
        websocket=True,
        timeout_tunnel=timedelta(seconds=tunnel) if tunnel else TUNNEL,
    )


def _base(config: Config) -> str:
    """What stands in place of the service's own path: "/" or "/a/b"."""
    if "backend" in config:
        given = urlsplit(config["backend"].get("url", "")).path
    else:
        given = config.get("base_path") or config.get("path") or ""
    return f"/{given.strip('/')}" if given.strip("/") else ROOT


def proxied_pools(services: Iterable[StoredWebService]) -> Iterator[tuple[str, Pool]]:
    """Where requests go that are passed on: the path of each service that does so, and its members."""
    for service in flatten(services):
        if service.type in (WebServiceType.REVERSE_PROXY, WebServiceType.WEBSOCKET):
            yield service.path, _pool(service, service.config)


def _pool(service: RoutedService, config: Config) -> Pool:
    identity = str(uuid5(NAMESPACE_OID, service.key))
    monitor = config.get("monitor")
    return Pool(
        id=identity,
        members=tuple(_member(identity, item) for item in _targets(config)),
        protocol=PoolProtocol.HTTP,
        algorithm=Algorithm(config.get("lb_algorithm", Algorithm.ROUND_ROBIN.value)),
        monitor=_monitor(monitor) if monitor else None,
    )


def _targets(config: Config) -> list[Config]:
    if "members" in config:
        members: list[Config] = config["members"]
        return members
    one = config["backend"]["endpoint"] if "backend" in config else config
    return [{"address": one["host"], "port": one["port"]}]


def _member(pool: str, given: Config) -> Member:
    address, port = given["address"], given["port"]
    return Member(
        id=str(uuid5(NAMESPACE_OID, f"{pool} {address} {port}")),
        address=address,
        port=port,
        weight=given.get("weight", 1),
        backup=given.get("backup", False),
    )


def _monitor(given: Config) -> HealthMonitor:
    retries = given.get("max_retries", 3)
    return HealthMonitor(
        type=_MONITORS[given["type"]],
        delay=timedelta(seconds=given.get("delay", 5)),
        timeout=timedelta(seconds=given.get("timeout", 3)),
        attempts=retries,
        attempts_down=given.get("max_retries_down", retries),
        path=given.get("url_path", "/"),
        expected_codes=parse_codes(given.get("expected_codes", "200")),
        method=given.get("http_method", "GET"),
        host=given.get("domain_name"),
    )


_BUILDERS: Mapping[WebServiceType, Callable[[RoutedService], WebService]] = {
    WebServiceType.REDIRECT: _redirect,
    WebServiceType.JSON: _json,
    WebServiceType.NODEINFO: _nodeinfo,
    WebServiceType.STATIC: _static,
    WebServiceType.REVERSE_PROXY: _reverse_proxy,
    WebServiceType.WEBSOCKET: _websocket,
}
