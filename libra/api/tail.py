"""The newest events, read once for however many follow them; older ones are read for each."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import TypeVar

import anyio.to_thread
import structlog

from libra.daemon.beats import Beats
from libra.daemon.loop import tell
from libra.errors import StorageUnavailable
from libra.model.event import Event
from libra.storage.base import Storage, UnitOfWork

log = structlog.get_logger(__name__)

T = TypeVar("T")
POLL_SECONDS = 0.25
PAGE = 200  # events that are read for one follower at once
LOOK = 1000  # events that are read for all of them at once
KEPT = 2000
THREADS = 4  # of their own: requests must not wait for followers


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: what their fields must be, and how their kind begins; as `EventRows.since` takes it."""

    where: Mapping[str, object]
    kind: str = ""

    def takes(self, event: Event) -> bool:
        """The same as the database would."""
        if not event.kind.startswith(self.kind):
            return False
        return all(_equals(getattr(event, name), value) for name, value in self.where.items())


def _equals(found: object, wanted: object) -> bool:
    return found in wanted if isinstance(wanted, frozenset) else found == wanted


class Tail:
    """Lives in one event loop, between `start` and `stop`; reads in threads.

    The newest `KEPT` events are kept, so that those who follow at the end cost no question to the database each.
    """

    def __init__(self, storage: Storage, beats: Beats) -> None:
        self._storage = storage
        stores = ("database",)
        self._beat = beats.add("event tail", interval=POLL_SECONDS, stores=stores, endless=True)
        self._limiter = anyio.CapacityLimiter(THREADS)
        self._task: asyncio.Task[None] | None = None
        self._kept: deque[Event] = deque()
        self._since: int | None = (
            None  # every event after this one is kept; None while nothing is known
        )
        self._newest = 0
        self.changed = asyncio.Event()
        """Set when there is more, and replaced by another one then: take it before `read`, wait for it afterwards."""

    def start(self) -> None:
        """Look for new events from now on; idempotent."""
        if self._task is None:
            self._beat.beat()
            self._task = asyncio.get_running_loop().create_task(self._follow())

    def stop(self) -> None:
        """Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        self._beat.rest()
        self._kept.clear()
        self._since, self._newest = None, 0

    def wake(self) -> None:
        """Everybody who waits."""
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    async def read(self, after: int, wanted: Wanted) -> tuple[list[Event], int]:
        """Some of what came after this id, oldest first, and the id to go on from; raises `StorageUnavailable`.

        No event up to that id is missing. Nothing found means that there is nothing more by now.
        """
        if self._since is not None and after >= self._since:
            later = takewhile(lambda event: event.id > after, reversed(self._kept))
            found = [event for event in later if wanted.takes(event)][::-1]
            if len(found) > PAGE:
                return found[:PAGE], found[PAGE - 1].id
            return found, max(after, self._newest)
        seen = (
            self._newest
        )  # before the question: what is stored after it may be missing in the answer
        found = await self._ask(lambda unit: _page(unit, after, wanted))
        if len(found) == PAGE:
            return found, found[-1].id
        return found, max(after, seen, *(event.id for event in found[-1:]))

    async def _follow(self) -> None:
        while True:
            try:
                while await self._look():
                    pass
            except asyncio.CancelledError:
                raise
            except StorageUnavailable as error:
                log.debug("cannot look for events now", action="follow", error=str(error))
            except BaseException as error:  # noqa: BLE001 - SystemExit would end the whole server
                tell(self._beat, error, POLL_SECONDS)
            self._beat.beat()
            await asyncio.sleep(POLL_SECONDS)

    async def _look(self) -> bool:
        """Whether there may be more."""
        if self._since is None:
            self._newest = self._since = await self._ask(lambda unit: unit.figures.newest_event())
            self.wake()
        newest = self._newest
        found = await self._ask(lambda unit: unit.events.since(newest, limit=LOOK))
        if found:
            self._keep(found)
            self.wake()
        return len(found) == LOOK

    def _keep(self, found: list[Event]) -> None:
        self._kept.extend(found)
        self._newest = found[-1].id
        while len(self._kept) > KEPT:
            self._since = self._kept.popleft().id

    async def _ask(self, question: Callable[[UnitOfWork], T]) -> T:
        return await anyio.to_thread.run_sync(
            lambda: self._storage.look(question), limiter=self._limiter
        )


def _page(unit: UnitOfWork, after: int, wanted: Wanted) -> list[Event]:
    return unit.events.since(after, limit=PAGE, where=wanted.where, kind_prefix=wanted.kind)
