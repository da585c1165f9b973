"""What the server answers, and the file that tells it: written by the worker, read at the start and at SIGHUP.

{"digest": "...", "node": {"name": "web1", "proxy": "HAProxy 2.8.3"}, "directories": ["/srv"], "services": {
    "<listener id> /docs": {"type": "static", "path": "/docs", "directory": "/srv/docs", ...}}}
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from libra.errors import Invalid
from libra.model.webservice import Json, Local, Metrics, NodeInfo, Static, canonical

TYPES: dict[str, type[Local]] = {
    "json": Json,
    "static": Static,
    "nodeinfo": NodeInfo,
    "metrics": Metrics,
}
_NAMES = {kind: name for name, kind in TYPES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """The device, as a web service may tell of it: nothing secret."""

    name: str = ""
    proxy: str | None = None


@dataclass(frozen=True, kw_only=True)
class Book:
    """Services by their key (`service_key`); files are taken from below `directories` only, whatever a service says.

    `statistics` is where HAProxy is asked for what it has served.
    """

    services: Mapping[str, Local] = field(default_factory=dict)
    node: Node = Node()
    directories: tuple[str, ...] = ()
    statistics: str = ""

    @cached_property
    def digest(self) -> str:
        """The same for the same book."""
        return hashlib.sha256(canonical(self._fields).encode()).hexdigest()[:32]

    def render(self) -> bytes:
        """The file's content."""
        return (canonical({"digest": self.digest, **self._fields}) + "\n").encode()

    @property
    def _fields(self) -> dict[str, Any]:
        return {
            "node": asdict(self.node),
            "directories": self.directories,
            "statistics": self.statistics,
            "services": {key: _render(service) for key, service in self.services.items()},
        }


def parse_book(data: bytes) -> Book:
    """Raises `Invalid` for what is not wholly as `render` wrote it."""
    try:
        fields = json.loads(data)
        book = Book(
            services={key: _parse(entry) for key, entry in fields["services"].items()},
            node=Node(**fields["node"]),
            directories=tuple(fields["directories"]),
            statistics=fields.get("statistics", ""),
        )
        whole = book.digest == fields["digest"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Invalid(f"cannot read the services: {error}") from error
    if not whole:
        raise Invalid("cannot use the services: their digest is another one")
    return book


def _render(service: Local) -> dict[str, Any]:
    return {"type": _NAMES[type(service)], **asdict(service)}


def _parse(entry: dict[str, Any]) -> Local:
    fields = dict(entry)
    kind = TYPES[fields.pop("type")]
    if "mime_types" in fields:
        fields["mime_types"] = tuple((suffix, name) for suffix, name in fields["mime_types"])
    if "proxies" in fields:
        fields["proxies"] = tuple((name, what, key) for name, what, key in fields["proxies"])
    return kind(**fields)
