"""The seven requests of the worker protocol, and how an untrusted message becomes one.

Contract: the seed document "Worker Messages" (protocol version 1.0).
"""

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import assert_never

from libra.errors import Invalid
from libra.messages.fields import Fields, fold
from libra.messages.loadbalancers import default_id, parse_loadbalancers
from libra.messages.members import ParseMembers, parse_members
from libra.messages.version2.loadbalancers import KnownLoadBalancers
from libra.messages.version2.loadbalancers import parse_loadbalancers as parse_second
from libra.messages.version2.nodes import parse_nodes
from libra.model.listener import Protocol
from libra.model.loadbalancer import LoadBalancer
from libra.model.nodestatus import ReportedNode

PROTOCOL_VERSION = "1.0"  # of a message that names none
SECOND_VERSION = "2.0"
VERSIONS = (PROTOCOL_VERSION, SECOND_VERSION)
MAX_GENERATION = 2**53  # whole numbers that every JSON reader keeps
MAX_URL = 2048
MAX_TOKEN = 16384
MAX_CONTAINER_BYTES = 256
DRY_RUN = "hpcs_dry_run"
_STORE_TYPE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_URL = re.compile(r"https?://[\x21-\x7e]+", re.ASCII | re.IGNORECASE)
_TOKEN = re.compile(rf"[\x21-\x7e]{{1,{MAX_TOKEN}}}")  # what an HTTP header can carry


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
    """Run these load balancers and no others.

    `dry_run`, here and below: say what would be done, and do nothing. `generation` orders what a controller asks for:
    an older one must not undo a newer one. `version` is that of the message. `nodes` as in `Desired`.
    """

    loadbalancers: tuple[LoadBalancer, ...]
    dry_run: bool = False
    generation: int | None = None
    version: str = PROTOCOL_VERSION
    nodes: tuple[ReportedNode, ...] | None = None


@dataclass(frozen=True, slots=True)
class Suspend:
    """Refuse new connections until ENABLE."""

    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Enable:
    """Bring back exactly what was before SUSPEND."""

    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """Forget everything."""

    dry_run: bool = False


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


def is_dry_run(message: object) -> bool:
    """Whether a message asks what would be done, without a look at the rest; raises `Invalid`."""
    return _parse_dry_run(Fields(message))


def parse_request(
    message: object,
    members: ParseMembers = parse_members,
    known: KnownLoadBalancers | None = None,
) -> Request:
    """A decoded JSON message to a typed request; raises `Invalid` with the path of the first fault.

    `members` and `known` may be given by a caller who remembers what it parsed before.
    """
    fields = Fields(message)
    action = fields.choice("hpcs_action", Action)
    match action:
        case Action.UPDATE:
            return _parse_update(fields, members, known)
        case Action.SUSPEND:
            return Suspend(_parse_dry_run(fields))
        case Action.ENABLE:
            return Enable(_parse_dry_run(fields))
        case Action.DELETE:
            return Delete(_parse_dry_run(fields))
        case Action.DISCOVER:
            return Discover()
        case Action.STATS:
            return Stats()
        case Action.ARCHIVE:
            return _parse_archive(fields)
    assert_never(action)


def _parse_update(
    fields: Fields, members: ParseMembers, known: KnownLoadBalancers | None
) -> Update:
    """Without a version it is a message of 1.0, which knows no generation either."""
    if not fields.has("hpcs_version"):
        return Update(parse_loadbalancers(fields, members), _parse_dry_run(fields))
    version = fields.text("hpcs_version")
    if version not in VERSIONS:
        raise fields.fault("hpcs_version", " or ".join(VERSIONS))
    is_first = version == PROTOCOL_VERSION
    return Update(
        parse_loadbalancers(fields, members) if is_first else parse_second(fields, members, known),
        _parse_dry_run(fields),
        fields.optional_integer("hpcs_generation", least=1, most=MAX_GENERATION),
        version,
        None if is_first else parse_nodes(fields),
    )


def _parse_dry_run(fields: Fields) -> bool:
    return fields.flag(DRY_RUN, default=False)


def _parse_archive(fields: Fields) -> Archive:
    """There is no dry run of it; who asked for one must not find an object stored."""
    if _parse_dry_run(fields):
        raise fields.fault(DRY_RUN, "left out or false for ARCHIVE")
    return Archive(
        store_type=_parse_store_type(fields),
        basepath=_parse_basepath(fields),
        endpoint=_parse_endpoint(fields),
        token=_parse_token(fields),
        targets=_parse_targets(fields),
    )


def _parse_store_type(fields: Fields) -> str:
    name = fold(fields.text("hpcs_object_store_type"))
    if not _STORE_TYPE.fullmatch(name):
        raise fields.fault("hpcs_object_store_type", 'the name of an object store, like "swift"')
    return name


def _parse_basepath(fields: Fields) -> str:
    """A container's name as Swift takes it; dots would lead out of the account."""
    name = fields.text("hpcs_object_store_basepath", longest=MAX_CONTAINER_BYTES)
    if "/" in name or name in (".", "..") or len(name.encode()) > MAX_CONTAINER_BYTES:
        raise fields.fault(
            "hpcs_object_store_basepath",
            f"a container's name: at most {MAX_CONTAINER_BYTES} bytes, no slash, not . or ..",
        )
    return name


def _parse_endpoint(fields: Fields) -> str:
    """The store itself judges the rest of the URL. User and password in one are refused without an echo."""
    url = fields.text("hpcs_object_store_endpoint", longest=MAX_URL)
    if "@" in url:
        raise Invalid(
            f"cannot read {fields.where('hpcs_object_store_endpoint')}: it must not hold a user or an @"
        )
    if not _URL.fullmatch(url):
        raise fields.fault(
            "hpcs_object_store_endpoint", 'a URL like "https://example.com/v1/account"'
        )
    return url


def _parse_token(fields: Fields) -> str:
    """Read apart from `text`, whose error would quote the value."""
    value = fields.raw("hpcs_object_store_token")
    if not isinstance(value, str) or not _TOKEN.fullmatch(value.strip(" ")):
        raise Invalid(
            f"cannot read {fields.where('hpcs_object_store_token')}: it must be a text of 1 to {MAX_TOKEN} "
            "printable ASCII characters without spaces"
        )
    return value.strip(" ")


def _parse_targets(fields: Fields) -> tuple[ArchiveTarget, ...]:
    count = fields.count("loadbalancers")
    if not 1 <= count <= len(Protocol):
        raise Invalid(
            f"cannot read loadbalancers: it must be one or two load balancers, got {count}"
        )
    targets = tuple(
        ArchiveTarget(protocol=item.choice("protocol", Protocol), id=item.identifier())
        for item in fields.objects("loadbalancers")
    )
    if len({target.id or default_id(target.protocol) for target in targets}) != count:
        raise Invalid("cannot read loadbalancers: the same load balancer is named twice")
    return targets
