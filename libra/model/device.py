"""The device: a host with a worker, as the controller knows it; its states, and who may move it between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import MappingProxyType

from libra.errors import Conflict

FIRST_VERSION = "1.0"
DEFAULT_POOL = "default"
"""The id and the name of the device pool that every database has."""


class DeviceState(Enum):
    """What may be done with it. What it has stays assigned to it in every state, until it is moved away."""

    ANNOUNCED = "ANNOUNCED"  # its worker said that it is there; an operator has to approve it
    BUILDING = "BUILDING"  # is wanted, and has not answered yet
    SPARE = "SPARE"  # answers, and has no load balancer
    ASSIGNED = "ASSIGNED"  # answers, and has some
    DRAINING = "DRAINING"  # gets no more, and what it has is moved away
    ERROR = "ERROR"  # does not answer, or its proxy does not run, or it runs what it shall not
    RETIRED = "RETIRED"  # is not asked any more


class Mover(Enum):
    """Who moves a device from one state into another."""

    WORKER = "the announcement of its worker"
    PROBER = "the prober"
    PLACEMENT = "the placement of load balancers"
    KEEPER = "the keeper of its pool"
    OPERATOR = "an operator"


_READY = (DeviceState.SPARE, DeviceState.ASSIGNED)
READY = frozenset(_READY)
"""Load balancers may be put there."""
WATCHED = frozenset(DeviceState) - {DeviceState.ANNOUNCED, DeviceState.RETIRED}
"""Those that are asked how they do."""


def _rows(
    mover: Mover, sources: tuple[DeviceState, ...], target: DeviceState
) -> dict[tuple[DeviceState, DeviceState], frozenset[Mover]]:
    return {(source, target): frozenset({mover}) for source in sources}


def _merged(
    *tables: Mapping[tuple[DeviceState, DeviceState], frozenset[Mover]],
) -> Mapping[tuple[DeviceState, DeviceState], frozenset[Mover]]:
    merged: dict[tuple[DeviceState, DeviceState], frozenset[Mover]] = {}
    for table in tables:
        for key, movers in table.items():
            merged[key] = merged.get(key, frozenset()) | movers
    return MappingProxyType(merged)


_S = DeviceState
TRANSITIONS = _merged(
    # from, into, by whom
    _rows(Mover.WORKER, (_S.ANNOUNCED,), _S.BUILDING),  # where its pool enrols by itself
    _rows(Mover.OPERATOR, (_S.ANNOUNCED, _S.RETIRED, _S.ERROR), _S.BUILDING),  # approve
    _rows(Mover.PROBER, (_S.BUILDING, _S.ERROR, _S.ASSIGNED), _S.SPARE),
    _rows(Mover.PROBER, (_S.BUILDING, _S.ERROR, _S.SPARE), _S.ASSIGNED),
    _rows(Mover.PROBER, (_S.BUILDING, *_READY), _S.ERROR),
    _rows(Mover.PLACEMENT, (_S.SPARE,), _S.ASSIGNED),
    _rows(Mover.PLACEMENT, (_S.ASSIGNED,), _S.SPARE),
    _rows(Mover.OPERATOR, (_S.BUILDING, *_READY, _S.ERROR), _S.DRAINING),  # evacuate, retire
    _rows(Mover.OPERATOR, (_S.DRAINING,), _S.SPARE),  # approve
    _rows(Mover.OPERATOR, (_S.DRAINING,), _S.ASSIGNED),
    _rows(Mover.OPERATOR, (_S.ANNOUNCED,), _S.RETIRED),
    _rows(Mover.KEEPER, (_S.BUILDING,), _S.ERROR),  # its boot failed
    _rows(Mover.KEEPER, (_S.DRAINING, _S.SPARE, _S.ERROR), _S.RETIRED),
)
"""Every way from one state into another, and who may go it. DESIGN: `DeviceState`s and who may move them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """`name` is the worker's, and so the function that jobs are sent to. `address` is where traffic reaches it.

    `generation` grows with every change of what it shall run; `acknowledged` is the newest one that its worker has
    confirmed, and `digest` what it said it runs then. `protocol` is the version that its worker understands ("1.0",
    "2.0"; "" while unknown).

    `first_seen` is when it answered for the first time, `last_seen` when it last did; of one that has answered before
    that was recorded, the first time is not known.
    `misses` counts the probes that it has not answered well since it last did, the first of them at `failing_since`.
    `retiring` says that a DRAINING one is RETIRED once it is empty, `shutting_down` that its host is destroyed before
    that, which nothing takes back. `announced_at` is when its worker last told something new, `started_at` when that
    worker was started. `stopped`: a clean stop of the controller destroyed its host, and the next
    start boots it again; until then nobody asks it how it does.
    `reports_health`: its proxy answers health checks of nodes.
    """

    id: str
    name: str
    address: str = ""
    pool_id: str = DEFAULT_POOL
    state: DeviceState = DeviceState.BUILDING
    generation: int = 0
    acknowledged: int = 0
    digest: str = ""
    protocol: str = ""
    release: str = ""
    proxy: str = ""
    created_at: datetime
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    misses: int = 0
    failing_since: datetime | None = None
    retiring: bool = False
    shutting_down: bool = False
    announced_at: datetime | None = None
    started_at: datetime | None = None
    reason: str = ""
    stopped: bool = False
    reports_health: bool = False

    @property
    def is_older(self) -> bool:
        """True where its worker understands messages of 1.0 only."""
        return self.protocol == FIRST_VERSION

    @property
    def is_ready(self) -> bool:
        """True where load balancers may be put there."""
        return self.state in READY


def ensure_transition(device: Device, into: DeviceState, mover: Mover) -> None:
    """Raises `Conflict` where `mover` may not move it there. To stay where it is, is no transition."""
    if device.state is into or mover in TRANSITIONS.get((device.state, into), frozenset()):
        return
    raise Conflict(
        f"cannot make the device '{device.name}' {into.value} while it is {device.state.value}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A device that is ready, and how many load balancers it has: what there is to choose by.

    `projects` are those whose load balancers or web clusters it has; `shared` says whether its pool lets others in,
    too, and `reserve` how many of its pool shall be kept spare. `disabled`: its pool gets nothing new, but from its own
    devices. `priority` is its pool's: the lowest comes first.
    """

    device_id: str
    name: str
    address: str
    protocol: str
    loadbalancers: int
    pool_id: str = DEFAULT_POOL
    shared: bool = False
    reserve: int = 0
    disabled: bool = False
    priority: int = 0
    projects: frozenset[str] = field(default_factory=frozenset)

    @property
    def is_older(self) -> bool:
        """As the device's."""
        return self.protocol == FIRST_VERSION
