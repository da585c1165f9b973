"""The records by kind: what can be done with the rows of each, beside what can be done with all."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Protocol, TypeVar

from libra.model.access import IssuedToken
from libra.model.counters import ListenerCounters
from libra.model.device import Device, DeviceState, Place
from libra.model.event import Event
from libra.model.job import Job, JobAction, JobPriority, JobState
from libra.model.nodestatus import Board, Node
from libra.model.overview import Run, Share
from libra.model.resources.loadbalancer import LoadBalancer
from libra.model.resources.tree import LoadBalancerTree
from libra.model.status import ProvisioningStatus
from libra.model.webcluster import WebRevision
from libra.storage.query import EVERYTHING, Query

R = TypeVar("R")


class Rows(Protocol[R]):
    """The records of one kind, by their id."""

    def get(self, key: str) -> R | None:
        """None where there is none."""

    def find(self, query: Query = EVERYTHING) -> list[R]:
        """Raises `Invalid` for a field that the record does not have, and for a marker that is no row."""

    def ids_by(self, name: str, values: Collection[str]) -> dict[str, list[str]]:
        """The ids of the rows whose field `name` has one of these values: by value, each in order of creation."""

    def count(self, where: Mapping[str, object]) -> int:
        """How many rows have these values."""

    def add(self, record: R) -> None:
        """Raises `AlreadyExists` where the id or another unique value is taken."""

    def add_all(self, records: Iterable[R]) -> None:
        """As `add`, in one statement."""

    def replace(self, record: R) -> None:
        """Raises `NotFound` where the row is gone, and `AlreadyExists` as `add`."""

    def remove(self, key: str) -> None:
        """Idempotent."""


class IssuedTokenRows(Rows[IssuedToken], Protocol):
    """Tokens that were handed out, by their digest."""

    def prune(self, before: datetime) -> int:
        """Forget those that ended before; how many went."""


SealedMaterials = Mapping[str, tuple[str, str]]
"""PEM and encrypted key, as certificates have them, by the certificate's id."""
NO_SEALED: SealedMaterials = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Load:
    """How many load balancers; whose they are, and whose the web clusters that are there."""

    loadbalancers: int
    projects: frozenset[str]


NO_LOAD = Load(0, frozenset())


class LoadBalancerRows(Rows[LoadBalancer], Protocol):
    """Load balancers, their lock, and their trees."""

    def lock(
        self, key: str, into: ProvisioningStatus, allowed: Collection[ProvisioningStatus]
    ) -> LoadBalancer | None:
        """Compare and set: the row in its new status; None where its status was none of `allowed` or it is gone."""

    def brief(self, key: str) -> tuple[LoadBalancer, list[str], list[str]] | None:
        """With the ids of its listeners and pools, each in order of creation; in one statement."""

    def tree(self, key: str) -> LoadBalancerTree | None:
        """The load balancer with all its parts."""

    def trees_of(self, device_id: str) -> list[LoadBalancerTree]:
        """All of a device, by creation; in a handful of statements, however many there are."""

    def trees(self, keys: Collection[str]) -> list[LoadBalancerTree]:
        """These, in the order of their ids."""

    def remove_tree(self, key: str) -> None:
        """With all its parts, its counters, its applied copy and its address; idempotent."""

    def applied(self, keys: Collection[str]) -> dict[str, LoadBalancerTree]:
        """What a device has confirmed of these last; absent where it never has."""

    def set_applied(self, tree: LoadBalancerTree, materials: SealedMaterials = NO_SEALED) -> None:
        """Remember it as confirmed, and what it showed."""

    def applied_materials(self, keys: Collection[str]) -> dict[str, SealedMaterials]:
        """What these showed when they were confirmed last, by load balancer; absent where that is not known."""

    def drop_applied(self, key: str) -> None:
        """A device has it no more; idempotent."""

    def count_by_status(self) -> dict[tuple[str, ...], int]:
        """How many there are, by provisioning and operating status."""

    def loads(self) -> dict[str, Load]:
        """What each device has that has something, without reading it."""


class DeviceRows(Rows[Device], Protocol):
    """Devices."""

    def by_name(self, name: str) -> Device | None:
        """None where there is none."""

    def places(self) -> list[Place]:
        """Those that are ready; in two statements, without what nobody chooses by.

        Of the projects on a device the first and the last are told, which is enough to know whether there are others.
        """

    def of_project(self, project: str) -> set[str]:
        """The ids of those that have something of the project: a load balancer, or a node of a web cluster."""

    def count_by_pool(self) -> dict[tuple[str, DeviceState], int]:
        """How many there are, by the id of their pool and state."""

    def next_generation(self, key: str) -> int:
        """Count its generation up, and give the new one; raises `NotFound`."""


class JobRows(Rows[Job], Protocol):
    """The outbox."""

    def due(self, now: datetime, limit: int) -> list[Job]:
        """Waiting jobs that nothing holds back: not_before has come, deadline has not; by priority, then age."""

    def overdue(self, now: datetime) -> list[Job]:
        """Open jobs, held ones too, whose deadline has passed."""

    def schedule(self, now: datetime) -> int:
        """Mark NEW jobs whose deadline has not come as SCHEDULED; how many."""

    def change(self, key: str, into: Job, allowed: Collection[JobState]) -> bool:
        """Compare and set: write `into` where the row's state is one of `allowed`.

        Its secrets are emptied where they are empty in `into`, and stay as they are stored otherwise: whoever read the
        job before `reseal` does not bring old ones back.
        """

    def reseal(self, key: str, sealed: str) -> bool:
        """Other secrets for an open job, and nothing else of it; False where it is over."""

    def prune(self, before: datetime, limit: int) -> int:
        """Forget those that ended and were made before, the oldest first, at most `limit`; how many."""

    def supersede(self, device_id: str, generation: int, by: str) -> list[str]:
        """Mark waiting UPDATE jobs of the device with an older generation as SUPERSEDED but for `alone` and held ones;
        the ids."""


class WebRevisionRows(Rows[WebRevision], Protocol):
    """The definitions of web clusters, by number."""

    def prune(self, cluster_oid: str, before: int) -> int:
        """Forget those of the cluster with a smaller number; how many."""


class NodeRows(Rows[Node], Protocol):
    """Nodes whose health is reported."""

    def board(self) -> Board:
        """All of them; cheap, however many there are."""

    def expired(self, now: datetime, limit: int) -> list[Node]:
        """Those whose mark is to be taken off."""

    def devices_with(self, address: str) -> set[str]:
        """The ids of the devices that have, or may have, a member at this canonical address."""


class EventRows(Protocol):
    """Events: written once, read by id.

    Ids are given at the end of a transaction and grow as transactions end, so that whoever has seen one has seen, or
    can find, every event with a smaller one.
    """

    def add(self, event: Event) -> None:
        """To be written when the transaction ends; not found before."""

    def since(
        self,
        after: int,
        *,
        limit: int,
        where: Mapping[str, object] | None = None,
        kind_prefix: str = "",
    ) -> list[Event]:
        """Those with a larger id, oldest first."""

    def prune(self, before: datetime, limit: int) -> int:
        """Forget older ones, the oldest first, at most `limit`; how many."""


class AddressRows(Protocol):
    """Which addresses of the pools are taken, and by which load balancer."""

    def owner(self, address: str) -> str | None:
        """The load balancer's id."""

    def taken(self, pool: str) -> set[str]:
        """The taken addresses of a pool."""

    def take(self, address: str, pool: str, loadbalancer_id: str) -> None:
        """Raises `AlreadyExists` where another has it."""

    def release(self, loadbalancer_id: str) -> None:
        """Give back whatever it has; idempotent."""


class CounterRows(Protocol):
    """What listeners have served: no total goes back when one moves, or its device begins anew."""

    def of_listener(self, key: str) -> ListenerCounters | None:
        """None where nothing was reported yet."""

    def of_loadbalancer(self, key: str) -> list[ListenerCounters]:
        """Those of its listeners."""

    def record(self, device_id: str, readings: Iterable[ListenerCounters]) -> None:
        """What this device has counted by itself so far.

        A total grows by what is new in that, or by all of it where another device was heard before, or where less is
        told than before: then it has begun anew.
        """


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows there are, at least one, and the oldest time of one."""

    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Served:
    """What all listeners have served so far; `active` is how many connections they have now."""

    requests: int = 0
    errors: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    active: int = 0


class Figures(Protocol):
    """Counts and ends; cheap however many rows there are."""

    def served(self) -> Served:
        """Sums over all listeners that there are. Falls where one is deleted."""

    def newest_event(self) -> int:
        """The largest id of an event, 0 where there is none."""

    def open_jobs(self) -> dict[tuple[JobAction, JobState], Tally]:
        """Those that are not over, and when the oldest was made."""

    def devices(self) -> dict[DeviceState, Tally]:
        """How many there are, and when the one that was not seen for longest was; made, where it never was."""

    def last_seen(self, limit: int) -> list[tuple[str, DeviceState, datetime]]:
        """The same of each, by name, at most so many."""


class Overview(Protocol):
    """What an operator looks at; each in a statement or two, however large the fleet is."""

    def jobs(
        self,
        states: Collection[JobState],
        priority: JobPriority | None,
        limit: int,
        place: tuple[datetime, str] | None = None,
    ) -> list[Job]:
        """In these states, with that priority, the newest first; older than `place` (created_at, id).

        Without their messages, secrets and replies, and without what the manager asks by itself all the time.
        """

    def count_jobs(self, states: Collection[JobState], priority: JobPriority | None) -> int:
        """How many there are of them."""

    def runs(self, since: datetime, device_id: str | None = None) -> list[Run]:
        """The last `RUNS` jobs that were sent to each device, or that one, since then, and that it has answered."""

    def shares(self) -> list[Share]:
        """Who has how much on which device."""

    def refused(self, since: datetime, limit: int) -> list[Job]:
        """UPDATEs since then that their device has refused, and has done none since, the newest first; without their
        messages."""

    def placed(self, projects: Collection[str]) -> dict[str, datetime]:
        """When the newest load balancer of each was made; absent where it has none."""

    def pools_of(self, device_ids: Collection[str]) -> dict[str, str]:
        """The ids of the pools of these devices; absent where one is gone."""

    def device_names(self) -> set[str]:
        """Of every device, whatever its state is."""

    def events(self, kind: str, since: datetime, limit: int) -> list[Event]:
        """Of that kind, since then, the newest first."""

    def came(self) -> dict[str, datetime]:
        """When a device of each pool answered for the first time, and the last did; absent where none has."""
