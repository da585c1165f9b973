"""Web services: what a listener answers on its paths.

`path` is normalised: "/" for everything that nothing else is for, or "/a/b" for that path and what is below it.
Contract: the seed `webcluster.txt`.
"""

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from libra.model.pool import Pool

ROOT = "/"
ALIVE = "/.well-known/libra"
"""Answered by the proxy itself wherever there are web services: by it the worker knows that a listener answers."""
_PATH = re.compile(r"(?:/[A-Za-z0-9._~%+@:,=-]+)+")
_URL = re.compile(r"(?:https?://[A-Za-z0-9\[][\x21-\x7e]*|/[\x21-\x7e]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseProxy:
    """Requests go to the members of `pool`, with `base_path` in place of the service's own path.

    `websocket` says that connections may be upgraded; `timeout_tunnel` is for those. `forwarded_port` and
    `forwarded_proto` are what members are told of where the client came in, None tells the truth.
    """

    path: str
    pool: Pool
    base_path: str = ROOT
    websocket: bool = False
    timeout_tunnel: timedelta | None = None
    forwarded_port: int | None = None
    forwarded_proto: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """GET and HEAD are sent to `url` as it stands, with this status."""

    path: str
    url: str
    code: int = 302


@dataclass(frozen=True, slots=True, kw_only=True)
class Json:
    """GET and HEAD are answered with a value: `text` is its JSON, as `canonical` writes it."""

    path: str
    text: str
    prettify: bool = False
    allow_cross_origin: bool = False
    discourage_caching: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Static:
    """The files below `directory`, an absolute path on the device.

    `default_file` is served for what is not there; `cache_seconds` None says nothing about caches; `mime_types` are
    pairs of a suffix with its dot and a type.
    """

    path: str
    directory: str
    default_file: str | None = None
    listing: bool = False
    cache_seconds: int | None = 43200
    mime_types: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInfo:
    """Who answers: a page about the device."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What its load balancer has served, for Prometheus.

    `proxies` are HAProxy's names, each with "listener" or "pool" and the id: empty until the device that runs it fills
    them in.
    """

    path: str = "/metrics"
    proxies: tuple[tuple[str, str, str], ...] = ()


Local = Json | Static | NodeInfo | Metrics
"""What is answered on the device itself, by `libra.serving`."""
WebService = ReverseProxy | Redirect | Json | Static | NodeInfo | Metrics


def normal_path(text: str) -> str | None:
    """Without a slash at its end; None for what is no path of whole segments, or could be read as another one."""
    path = text.rstrip("/") if text.strip("/") else text
    if path == ROOT:
        return path
    if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        return None
    return path


def is_url(text: str) -> bool:
    """Whether a client may be sent there: absolute, or a path of the same host; printable ASCII without spaces."""
    return _URL.fullmatch(text) is not None and not text.startswith("//")


def canonical(value: Any) -> str:
    """JSON that is the same text for the same value."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, allow_nan=False)


def service_key(listener_id: str, path: str) -> str:
    """By which HAProxy tells `libra.serving` which service is meant: ASCII, for it goes in a header."""
    return f"{quote(listener_id, safe='')} {path}"
