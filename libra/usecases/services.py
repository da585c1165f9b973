"""What the use cases stand on, wired once."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from libra.errors import Invalid
from libra.messages.codec import JsonObject
from libra.meters import Meters
from libra.model.device import Device
from libra.model.devicepool import DevicePool
from libra.model.objectstore import Credentials
from libra.model.quota import Quota
from libra.model.webcluster import WebCluster, WebClusterNode
from libra.model.webdefinition import WebDefinition
from libra.objectstores.base import Grant
from libra.storage.base import Storage
from libra.usecases.knowntokens import KnownTokens

Clock = Callable[[], datetime]


def now() -> datetime:
    """In UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A random UUID."""
    return str(uuid4())


class Sealer(Protocol):
    """Encrypts what must be stored and sent again, such as a token."""

    def seal(self, secret: str) -> str:
        """Only `unseal` makes sense of it."""

    def unseal(self, sealed: str) -> str:
        """Raises `Invalid` where it was sealed with another key."""


class Bell:
    """Rung after a change is stored, so that the manager of this process need not wait until it looks by itself."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def ring(self) -> None:
        """Wake whoever waits, now or next."""
        self._rung.set()

    def wait(self, seconds: float) -> bool:
        """True where it was rung since the last wait."""
        rung = self._rung.wait(seconds)
        self._rung.clear()
        return rung


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPool:
    """Where load balancers get their addresses from; `id` is what clients know as a subnet or a network."""

    id: str
    name: str
    ranges: tuple[str, ...]


UNLIMITED_QUOTA = Quota(
    project_id="",
    load_balancer=-1,
    listener=-1,
    pool=-1,
    member=-1,
    health_monitor=-1,
    l7policy=-1,
    l7rule=-1,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long jobs may take, how many things a project may have that has no quota of its own, and which ports web
    clusters get that ask for none.
    """

    job_deadline: timedelta = timedelta(seconds=60)
    archive_deadline: timedelta = timedelta(hours=2)
    quota: Quota = UNLIMITED_QUOTA
    web_ports: range = range(20_000, 21_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminRules:
    """What the settings say about orders of operators: whether each needs a comment, and where their maps are."""

    require_comment: bool = False
    aliases_file: Path | None = None
    limits_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebCandidate:
    """What the nodes of a web cluster would be told, before it is stored. `nodes` are those that it would have."""

    cluster: WebCluster
    definition: WebDefinition
    nodes: tuple[WebClusterNode, ...]


WebCheck = Callable[[WebCandidate], None]
"""Asks the nodes; raises `Invalid` with the words of one that would refuse it."""


def accept(_candidate: WebCandidate) -> None:
    """Where nobody is asked."""


CanDestroy = Callable[[DevicePool], bool]
"""Whether the provider of a device pool destroys hosts; False where it has none, or one that cannot be loaded."""


def destroys_nothing(_pool: DevicePool) -> bool:
    """Where no provider is wired."""
    return False


class AccountStore(Protocol):
    """A kind of object store, as far as accounts at it go."""

    def log_in(self, credentials: Credentials) -> Grant:
        """See `ObjectStore`."""


def no_store(kind: str) -> AccountStore:
    """Where none was wired."""
    raise Invalid(f"cannot use the object store {kind!a}: there is none of that kind here")


AskStatistics = Callable[[Sequence[Device], timedelta], Mapping[str, JsonObject]]
"""Asks devices for their STATS, all at the same time, within that long: the replies of those that gave a good one, by
the device's id."""


def ask_nobody(_devices: Sequence[Device], _within: timedelta) -> Mapping[str, JsonObject]:
    """Where no device can be reached."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """One object for every use case."""

    storage: Storage
    sealer: Sealer
    clock: Clock = now
    bell: Bell = field(default_factory=Bell)
    known_tokens: KnownTokens = field(default_factory=KnownTokens)
    meters: Meters = field(default_factory=Meters)
    limits: Limits = Limits()
    address_pools: tuple[AddressPool, ...] = ()
    webcheck: WebCheck = accept
    admin: AdminRules = AdminRules()
    can_destroy: CanDestroy = destroys_nothing
    object_store: Callable[[str], AccountStore] = no_store
    ask_statistics: AskStatistics = ask_nobody
