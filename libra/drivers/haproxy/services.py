"""From web services to where a frontend sends requests, and how they reach members. Pure."""

from collections.abc import Sequence

from libra.drivers.haproxy.config import Redirection, Rewrite, Route
from libra.drivers.haproxy.names import backend_name
from libra.model.listener import Listener
from libra.model.pool import Pool
from libra.model.webservice import Redirect, ReverseProxy, WebService, service_key

IPV6 = 6


def build_routes(listener: Listener) -> tuple[Route, ...] | None:
    """By their paths, so that the order of a message does not matter; None for a listener without paths."""
    if listener.services is None:
        return None
    services = sorted(listener.services, key=lambda item: item.path)
    return tuple(_build_route(listener, item) for item in services)


def _build_route(listener: Listener, service: WebService) -> Route:
    """Where a request for this service goes."""
    match service:
        case ReverseProxy():
            return Route(service.path, backend=backend_name(service.pool.id))
        case Redirect():
            return Route(service.path, redirection=Redirection(service.url, service.code))
        case _:
            return Route(service.path, service=service_key(listener.id, service.path))


def find_service(listeners: Sequence[Listener], pool: Pool) -> ReverseProxy | None:
    """The one that has this pool."""
    services = (service for listener in listeners for service in listener.services or ())
    proxies = (item for item in services if isinstance(item, ReverseProxy))
    return next((item for item in proxies if item.pool is pool), None)


def build_rewrite(listener: Listener, service: ReverseProxy) -> Rewrite:
    """What its members see."""
    port = service.forwarded_port
    return Rewrite(
        path=service.path,
        base=service.base_path,
        port=str(port) if port is not None else "%[dst_port]",
        scheme=service.forwarded_proto or ("https" if listener.tls else "http"),
        upgrades=service.websocket,
    )
