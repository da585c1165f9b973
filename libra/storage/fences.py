"""A storage for who manages: nothing is written under a lease that is another's by now."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from sqlalchemy import text

from libra.storage.base import Lease, Storage, UnitOfWork

T = TypeVar("T")
MANAGER = "manager"
# Only who changes the key waits for it, and whom it makes wait: to renew the lease is no change of the key.
FENCE = text("SELECT 1 FROM leases WHERE name = :name AND number = :number FOR KEY SHARE")


class FencedStorage:
    """See `Storage`. Writes are those of the manager with this lease; raises `LeaseLost` from `writing`."""

    def __init__(self, storage: Storage, lease: Lease) -> None:
        self._storage = storage
        self._lease = lease

    def reading(self) -> AbstractContextManager[UnitOfWork]:
        """As it is."""
        return self._storage.reading()

    def look(self, read: Callable[[UnitOfWork], T]) -> T:
        """As it is."""
        return self._storage.look(read)

    @contextmanager
    def writing(self) -> Iterator[UnitOfWork]:
        """The fence is the first statement: what follows waits for nobody who waits for it."""
        with self._storage.writing() as unit:
            unit.fence(self._lease.number)
            yield unit

    def check(self, *, whole: bool = False) -> None:
        """As it is."""
        self._storage.check(whole=whole)

    def connections(self) -> tuple[int, int]:
        """As it is."""
        return self._storage.connections()

    def close(self) -> None:
        """The storage is its owner's."""
