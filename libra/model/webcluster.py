"""The web cluster: several devices that serve one endpoint together; its states, and who may move it between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from uuid import NAMESPACE_OID, uuid5

from libra.errors import CannotStart, CannotStop, Conflict, NotStopped


class WebClusterState(Enum):
    """What its nodes are to do, and whether they do."""

    STOPPED = "STOPPED"  # no node has it
    STARTING = "STARTING"  # the nodes are being told
    RUNNING = "RUNNING"  # a request through every active node is answered
    DEGRADED = "DEGRADED"  # some of that fails, and is tried again
    STOPPING = "STOPPING"  # the nodes are being told to let go
    PAUSED = "PAUSED"  # the nodes serve on as they are, and nobody looks after them
    ERROR = "ERROR"  # no node serves, and that is tried again


class WebClusterEvent(Enum):
    """What may happen to one: an order of a caller, or something that the monitor has seen."""

    START = "start"
    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"
    RESTART = "restart"
    DELETE = "delete"
    SERVED = "every active node serves the newest revision"
    FAILED_PARTLY = "some of the active nodes do not"
    FAILED = "no active node serves"
    LEFT = "no node has it any more"


class WebClusterMover(Enum):
    """Who brings an event about."""

    CALLER = "a caller"
    MONITOR = "the monitor"


_E = WebClusterEvent
_S = WebClusterState
MOVERS: Mapping[WebClusterEvent, WebClusterMover] = MappingProxyType(
    {
        **dict.fromkeys(
            (_E.START, _E.STOP, _E.PAUSE, _E.RESUME, _E.RESTART, _E.DELETE), WebClusterMover.CALLER
        ),
        **dict.fromkeys((_E.SERVED, _E.FAILED_PARTLY, _E.FAILED, _E.LEFT), WebClusterMover.MONITOR),
    }
)
LIVE = frozenset((_S.STARTING, _S.RUNNING, _S.DEGRADED, _S.PAUSED, _S.ERROR))
"""Its nodes have it, or shall have it."""
WATCHED = LIVE - {_S.PAUSED} | {_S.STOPPING}
"""The monitor looks after it."""


def _rows(
    event: WebClusterEvent, sources: tuple[WebClusterState, ...], into: WebClusterState
) -> dict[tuple[WebClusterState, WebClusterEvent], WebClusterState]:
    return {(source, event): into for source in sources}


TRANSITIONS: Mapping[tuple[WebClusterState, WebClusterEvent], WebClusterState] = MappingProxyType(
    {
        # event, in which states it may happen, the state after it
        **_rows(_E.START, (_S.STOPPED, _S.PAUSED, _S.ERROR), _S.STARTING),
        **_rows(_E.STOP, (_S.STARTING, _S.RUNNING, _S.DEGRADED, _S.PAUSED, _S.ERROR), _S.STOPPING),
        **_rows(_E.PAUSE, (_S.RUNNING, _S.DEGRADED), _S.PAUSED),
        **_rows(_E.RESUME, (_S.PAUSED,), _S.STARTING),
        **_rows(
            _E.RESTART, (_S.STARTING, _S.RUNNING, _S.DEGRADED, _S.PAUSED, _S.ERROR), _S.STARTING
        ),
        **_rows(_E.DELETE, (_S.STOPPED,), _S.STOPPED),  # and then it is gone
        **_rows(_E.SERVED, (_S.STARTING, _S.RUNNING, _S.DEGRADED, _S.ERROR), _S.RUNNING),
        **_rows(_E.FAILED_PARTLY, (_S.STARTING, _S.RUNNING, _S.DEGRADED, _S.ERROR), _S.DEGRADED),
        **_rows(_E.FAILED, (_S.STARTING, _S.RUNNING, _S.DEGRADED, _S.ERROR), _S.ERROR),
        **_rows(_E.LEFT, (_S.STOPPING,), _S.STOPPED),
    }
)
"""Every event that may happen in a state, and the state after it. All else is refused."""
_REFUSALS: Mapping[WebClusterEvent, type[Conflict]] = MappingProxyType(
    {
        **dict.fromkeys((_E.START, _E.RESUME, _E.RESTART), CannotStart),
        **dict.fromkeys((_E.STOP, _E.PAUSE), CannotStop),
        _E.DELETE: NotStopped,
    }
)


def advance(name: str, state: WebClusterState, event: WebClusterEvent) -> WebClusterState:
    """The state after it. Raises `CannotStart`, `CannotStop`, `NotStopped`, and `Conflict` for what the monitor saw."""
    into = TRANSITIONS.get((state, event))
    if into is None:
        kind = _REFUSALS.get(event, Conflict)
        what = (
            event.value if MOVERS[event] is WebClusterMover.CALLER else f"take '{event.value}' of"
        )
        raise kind(f"cannot {what} the web cluster '{name}' while it is {state.value}")
    return into


@dataclass(frozen=True, slots=True, kw_only=True)
class WebCluster:
    """`name` is unique in its project. What was not given is None, and means the default.

    `changed` is in nanoseconds since 1970. `http_client_timeout` and `http_hsts_max_age` are in seconds.
    `tls_certificate` is PEM, or the id of a stored certificate; `tls_key` is encrypted, "" where the stored one's is
    meant. `tcp_port` is chosen at the first start where none was given.

    `revision` is the number of its newest definition, `good_revision` of the last one that all nodes had, 0 while there
    is none. `reason` says why its state is what it is, for people. One that is `disabled` gets no new node; what runs
    there runs on.
    """

    oid: str
    project_id: str
    name: str
    label: str | None = None
    description: str | None = None
    tags: tuple[str, ...] | None = None
    status: WebClusterState = WebClusterState.STOPPED
    owner_oid: str
    changed: int
    tcp_version: int | None = None
    tcp_port: int | None = None
    tcp_shared: bool | None = None
    tcp_interface: str | None = None
    tcp_backlog: int | None = None
    tls_key: str | None = field(default=None, repr=False)
    tls_certificate: str | None = field(default=None, repr=False)
    tls_chain_certificates: tuple[str, ...] | None = field(default=None, repr=False)
    tls_ca_certificates: tuple[str, ...] | None = field(default=None, repr=False)
    tls_dhparam: str | None = field(default=None, repr=False)
    tls_ciphers: str | None = None
    http_client_timeout: int | None = None
    http_hsts: bool | None = None
    http_hsts_max_age: int | None = None
    http_access_log: bool | None = None
    http_display_tracebacks: bool | None = None
    created_at: datetime
    revision: int = 0
    good_revision: int = 0
    reason: str = ""
    disabled: bool = False
    disabled_reason: str | None = None

    @property
    def is_live(self) -> bool:
        """True where its nodes have it, or shall have it."""
        return self.status in LIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class WebClusterNode:
    """A device in a cluster; `id` is `node_key` of both. `parallel` is how many threads serve it there.

    `active` says that it shall listen now; `promoted_for` is the node whose place a standby has taken. `revision` is
    the definition that it is told, `confirmed_revision` and `confirmed_active` what it has confirmed (0: nothing).
    `answers` is whether a request through it is answered, None while that is not known; `good_since` is when it began
    to be good without a break, `since` when what it is told changed last. `refused` is why it does not take what it is
    told, `trusted` says that nothing was wrong with it when it was told, `failures` how often it lost its place.
    """

    id: str
    cluster_oid: str
    node_oid: str
    parallel: int | None = None
    standby: bool | None = None
    active: bool = True
    promoted_for: str | None = None
    since: datetime
    revision: int = 0
    confirmed_revision: int = 0
    confirmed_active: bool = False
    answers: bool | None = None
    good_since: datetime | None = None
    refused: str = ""
    trusted: bool = True
    failures: int = 0
    created_at: datetime

    @property
    def is_settled(self) -> bool:
        """True where it has what it is told."""
        told = (self.revision, self.active and self.revision > 0)
        return not self.refused and told == (self.confirmed_revision, self.confirmed_active)

    @property
    def runs(self) -> tuple[int, bool]:
        """Which revision it is sent, and whether it listens: what it has, where it refuses what it is told."""
        if self.refused:
            return self.confirmed_revision, self.confirmed_active
        return self.revision, self.active and self.revision > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWebService:
    """A service on a path, as it was given; see `libra.model.webservices` for what `config` may hold.

    `path` is normalised: "/" or "/a/b". `config` is the JSON object of what is the type's own.
    """

    oid: str
    webcluster_oid: str
    path: str
    type: str
    label: str | None = None
    description: str | None = None
    tags: tuple[str, ...] | None = None
    config: str = "{}"
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRevision:
    """A definition of a cluster, kept as it was; `id` is `revision_key` of both.

    `document` is what `libra.model.webdefinition` writes. It never changes.
    """

    id: str
    cluster_oid: str
    number: int
    document: str = field(repr=False)
    created_at: datetime


def node_key(cluster_oid: str, node_oid: str) -> str:
    """The id of a membership: one a cluster and device."""
    return str(uuid5(NAMESPACE_OID, f"{cluster_oid} {node_oid}"))


def revision_key(cluster_oid: str, number: int) -> str:
    """The id of a revision."""
    return f"{cluster_oid}.{number}"
