"""The seven requests of the worker protocol, and how an untrusted message becomes one.

Contract: the seed document "Worker Messages" (protocol version 1.0).
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import assert_never

from libra.errors import Invalid
from libra.messages.fields import Fields
from libra.messages.loadbalancers import default_id, parse_loadbalancers
from libra.model.listener import Protocol
from libra.model.loadbalancer import LoadBalancer

PROTOCOL_VERSION = "1.0"  # what DISCOVER answers; "2.0" is reserved
MAX_URL = 2048
MAX_TOKEN = 16384


class Action(Enum):
    """The values of `hpcs_action`."""

    UPDATE = "UPDATE"
    SUSPEND = "SUSPEND"
    ENABLE = "ENABLE"
    DELETE = "DELETE"
    DISCOVER = "DISCOVER"
    ARCHIVE = "ARCHIVE"
    STATS = "STATS"

    @property
    def changes_proxy(self) -> bool:
        """True for the actions that must run one after the other, in arrival order."""
        return self in (Action.UPDATE, Action.SUSPEND, Action.ENABLE, Action.DELETE)


@dataclass(frozen=True, slots=True)
class Update:
    """Run these load balancers and no others."""

    loadbalancers: tuple[LoadBalancer, ...]


@dataclass(frozen=True, slots=True)
class Suspend:
    """Refuse new connections until ENABLE."""


@dataclass(frozen=True, slots=True)
class Enable:
    """Bring back exactly what was before SUSPEND."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Forget everything."""


@dataclass(frozen=True, slots=True)
class Discover:
    """Say who you are."""


@dataclass(frozen=True, slots=True)
class Stats:
    """Prove that the proxy runs, and report its counters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveTarget:
    """The load balancer whose log is asked for; `id` None means the one with that protocol."""

    protocol: Protocol
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Upload the access logs of these load balancers. The token stays out of every repr."""

    store_type: str
    basepath: str
    endpoint: str
    token: str = field(repr=False)
    targets: tuple[ArchiveTarget, ...]


Request = Update | Suspend | Enable | Delete | Discover | Stats | Archive


def parse_action(message: object) -> Action:
    """The action of a message, without a look at the rest; raises `Invalid`."""
    return Fields(message).choice("hpcs_action", Action)


def parse_request(message: object) -> Request:
    """A decoded JSON message to a typed request; raises `Invalid` with the path of the first fault."""
    fields = Fields(message)
    action = fields.choice("hpcs_action", Action)
    match action:
        case Action.UPDATE:
            return Update(parse_loadbalancers(fields))
        case Action.SUSPEND:
            return Suspend()
        case Action.ENABLE:
            return Enable()
        case Action.DELETE:
            return Delete()
        case Action.DISCOVER:
            return Discover()
        case Action.STATS:
            return Stats()
        case Action.ARCHIVE:
            return _parse_archive(fields)
    assert_never(action)


def _parse_archive(fields: Fields) -> Archive:
    targets = tuple(
        ArchiveTarget(protocol=item.choice("protocol", Protocol), id=item.optional_text("id"))
        for item in fields.objects("loadbalancers")
    )
    if not 1 <= len(targets) <= 2:
        raise Invalid(
            f"cannot read loadbalancers: must be one or two load balancers, got {len(targets)}"
        )
    archive = Archive(
        store_type=fields.text("hpcs_object_store_type").lower(),
        basepath=fields.text("hpcs_object_store_basepath"),
        endpoint=fields.text("hpcs_object_store_endpoint", longest=MAX_URL),
        token=_token(fields),
        targets=targets,
    )
    if len({(target.id or default_id(target.protocol)) for target in targets}) != len(targets):
        raise Invalid("cannot read loadbalancers: the same load balancer is named twice")
    return archive


def _token(fields: Fields) -> str:
    """Read apart from `text`, whose error would quote the value."""
    try:
        return fields.text("hpcs_object_store_token", longest=MAX_TOKEN)
    except Invalid:
        raise Invalid(
            "cannot read hpcs_object_store_token: must be a text without control characters"
        ) from None
