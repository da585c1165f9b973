"""What the use cases and the manager ask of the storage.

A unit of work is one transaction: a consistent view, and everything or nothing is written. Records are frozen; a
change is `dataclasses.replace` and `replace`. SQLite is the twin of PostgreSQL: one contract suite runs over both.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from libra.model.access import Token
from libra.model.adminmap import AdminMap
from libra.model.controller import Controller
from libra.model.devicepool import DevicePool, Move
from libra.model.nodestatus import NodeGroup
from libra.model.objectstore import ObjectStoreAccount
from libra.model.quota import Quota
from libra.model.resources.certificate import StoredCertificate
from libra.model.resources.l7policy import L7Policy, L7Rule
from libra.model.resources.listener import Listener
from libra.model.resources.member import Member
from libra.model.resources.monitor import HealthMonitor
from libra.model.resources.pool import Pool
from libra.model.rollout import Rollout, RolloutStep
from libra.model.webcluster import StoredWebService, WebCluster, WebClusterNode
from libra.storage.kinds import (
    AddressRows,
    CounterRows,
    DeviceRows,
    EventRows,
    Figures,
    IssuedTokenRows,
    JobRows,
    LoadBalancerRows,
    NodeRows,
    Overview,
    Rows,
    WebRevisionRows,
)

T = TypeVar("T")

LEASE_SECONDS = 6.0
PLACEMENT = "placement"
"""Held by who chooses a device by what the others have; before the device's own, and by nobody who holds one."""


def device_lock(device_id: str) -> str:
    """The name to hold."""
    return f"device {device_id}"


def account_lock(account_id: str) -> str:
    """The name to hold by whoever writes the token of an object-store account, or makes a job that has it."""
    return f"object store {account_id}"


def hold_devices(unit: "UnitOfWork", *device_ids: str) -> None:
    """Hold the locks of several, in the order that everybody takes them in."""
    for key in sorted(set(device_ids)):
        unit.hold(device_lock(key))


class UnitOfWork(Protocol):
    """One transaction."""

    loadbalancers: LoadBalancerRows
    listeners: Rows[Listener]
    pools: Rows[Pool]
    members: Rows[Member]
    monitors: Rows[HealthMonitor]
    l7policies: Rows[L7Policy]
    l7rules: Rows[L7Rule]
    devices: DeviceRows
    device_pools: Rows[DevicePool]
    controllers: Rows[Controller]
    moves: Rows[Move]
    jobs: JobRows
    events: EventRows
    tokens: Rows[Token]
    issued_tokens: IssuedTokenRows
    quotas: Rows[Quota]
    certificates: Rows[StoredCertificate]
    object_stores: Rows[ObjectStoreAccount]
    addresses: AddressRows
    counters: CounterRows
    web_clusters: Rows[WebCluster]
    web_nodes: Rows[WebClusterNode]
    web_services: Rows[StoredWebService]
    web_revisions: WebRevisionRows
    admin_maps: Rows[AdminMap]
    node_groups: Rows[NodeGroup]
    nodes: NodeRows
    rollouts: Rows[Rollout]
    rollout_steps: Rows[RolloutStep]
    figures: Figures
    overview: Overview

    def hold(self, name: str) -> None:
        """Wait until no other transaction holds this name, and hold it to the end of this one.

        What is counted first and written then, such as a quota, is right so. Whoever writes what is on a device holds
        `device_lock` of it before anything else (but `PLACEMENT`), so that no two wait for each other; who needs those
        of several devices holds `PLACEMENT` and takes them by `hold_devices`.
        """

    def fence(self, number: int) -> None:
        """Let this transaction end only while the manager's lease has this number.

        The next holder's first step waits for the end of the transaction. Raises `LeaseLost`.
        """


class Lease(Protocol):
    """The right to manage, which one process at a time has on a database."""

    holder: str
    """Who has it, in words for a log, where `hold` gave False; "" where that cannot be told."""
    number: int
    """Grows with each holder; 0 where the database tells no holders apart, for there can be one only."""

    def hold(self) -> bool:
        """Take it where nobody has it; True where this one has it now.

        Whoever has it asks again at least every second, for it may be lost: who does not for `LEASE_SECONDS`, as one
        that is frozen or cut off, loses it to who asks next. Raises `StorageUnavailable`, and then it is not held.
        """

    def release(self) -> None:
        """Let another have it; idempotent."""


class Storage(Protocol):
    """Opens units of work. Safe for several threads."""

    def reading(self) -> AbstractContextManager[UnitOfWork]:
        """A consistent view; writes in it are refused or lost."""

    def look(self, read: Callable[[UnitOfWork], T]) -> T:
        """What one statement of `read` finds: cheaper, but several would see several moments.

        Runs `read` again where the connection turned out to be dead.
        """

    def writing(self) -> AbstractContextManager[UnitOfWork]:
        """Commits at the end of the block, rolls back where it raises. Waits for other writers, at most seconds.

        Raises `StorageUnavailable` where the database does not answer, also from inside the block.
        """

    def check(self, *, whole: bool = False) -> None:
        """Raises `StorageUnavailable` unless the database answers and has this release's schema.

        With `whole`, which takes longer, every table and column of it must be there.
        """

    def connections(self) -> tuple[int, int]:
        """How many are in use, of how many."""

    def close(self) -> None:
        """Let go of every connection; idempotent."""
