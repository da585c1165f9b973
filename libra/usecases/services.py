"""What the use cases stand on, wired once."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import uuid4

from libra.meters import Meters
from libra.model.quota import Quota
from libra.model.webcluster import WebCluster, WebClusterNode
from libra.model.webdefinition import WebDefinition
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
class WebCandidate:
    """What the nodes of a web cluster would be told, before it is stored. `nodes` are those that it would have."""

    cluster: WebCluster
    definition: WebDefinition
    nodes: tuple[WebClusterNode, ...]


WebCheck = Callable[[WebCandidate], None]
"""Asks the nodes; raises `Invalid` with the words of one that would refuse it."""


def accept(_candidate: WebCandidate) -> None:
    """Where nobody is asked."""


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
