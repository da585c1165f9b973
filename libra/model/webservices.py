"""What the types of web services hold, and how a `path` service becomes those that it holds. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from libra.model.webcluster import StoredWebService
from libra.model.webpaths import join


class WebServiceType(Enum):
    """Those that can be served."""

    PATH = "path"
    REDIRECT = "redirect"
    JSON = "json"
    NODEINFO = "nodeinfo"
    STATIC = "static"
    REVERSE_PROXY = "reverseproxy"
    WEBSOCKET = "websocket-reverseproxy"


_ROUTER = "it needs a WAMP router behind it, which libra is not"
_PROGRAM = (
    "it runs programs on the nodes; serve it by a program of its own, and a reverseproxy to that"
)
REFUSED: Mapping[str, str] = {
    **dict.fromkeys(
        ("caller", "publisher", "websocket", "webhook", "wap", "longpoll", "catalog"), _ROUTER
    ),
    **dict.fromkeys(("cgi", "wsgi", "resource", "upload"), _PROGRAM),
    "archive": "unpack it into a directory of the nodes, and serve that as static",
    **dict.fromkeys(("registerme", "pairme", "none"), "it is for crossbar's own nodes"),
}
"""Types that are known elsewhere, and why they are none here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedService:
    """One that answers on its path. `key` is unique in the cluster and stays as long as path and service do."""

    key: str
    path: str
    type: WebServiceType
    config: Mapping[str, Any]


def flatten(services: Iterable[StoredWebService]) -> list[RoutedService]:
    """Each `path` service as those that it holds; by path."""
    found = [one for item in services for one in flatten_one(item)]
    return sorted(found, key=lambda item: item.path)


def flatten_one(service: StoredWebService) -> Iterator[RoutedService]:
    """Itself, or what it holds. Raises `Invalid` for a name that is no path."""
    yield from _flatten(service.oid, service.path, service.type, json.loads(service.config))


def _flatten(oid: str, path: str, kind: str, config: Mapping[str, Any]) -> Iterator[RoutedService]:
    if kind != WebServiceType.PATH.value:
        yield RoutedService(
            key=f"{oid} {path}", path=path, type=WebServiceType(kind), config=config
        )
        return
    for segment, nested in config["paths"].items():
        inner = {name: value for name, value in nested.items() if name != "type"}
        yield from _flatten(oid, join(path, segment), nested["type"], inner)
