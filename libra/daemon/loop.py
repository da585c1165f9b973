"""Loops that nothing ends but their owner: whatever a turn raises is told, and the next one comes."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import TypeVar

import structlog

from libra.daemon.beats import Beat, Ticks
from libra.errors import LeaseLost, StorageUnavailable

log = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
VERBOSE = 9
T = TypeVar("T")


class Backoff:
    """How long to leave alone what raised: twice as long each time, until it goes well again."""

    def __init__(self, ticks: Ticks = time.monotonic) -> None:
        self._ticks = ticks
        self.seconds = 0.0
        self._until = 0.0

    def longer(self) -> None:
        """It raised."""
        self.seconds = min(max(FIRST_PAUSE_SECONDS, 2 * self.seconds), LONGEST_PAUSE_SECONDS)
        self._until = self._ticks() + self.seconds

    def reset(self) -> None:
        """It went well."""
        self.seconds = self._until = 0.0

    @property
    def waits(self) -> bool:
        """Whether its time has not come yet."""
        return self._ticks() < self._until


class Guard:
    """Keeps what one piece of work raises from all others.

    `check` raises `StorageUnavailable` where the database does not answer to anybody: that, and the loss of the lease,
    is the matter of the whole loop.
    """

    def __init__(
        self, beat: Beat, check: Callable[[], None] = lambda: None, ticks: Ticks = time.monotonic
    ) -> None:
        self.beat = beat
        self.ticks = ticks
        self._check = check

    def __call__(self, act: Callable[[], None], backoff: Backoff, **fields: str) -> bool:
        """Whether it went well. Raises `StorageUnavailable` and nothing else, whatever happens."""
        try:
            with self.beat.turn():
                act()
        except LeaseLost:
            raise
        except StorageUnavailable as error:
            self.beat.fail(error)
            self._check()
            backoff.longer()
            log.warning(
                "the database refuses something",
                action=self.beat.name,
                error=str(error),
                seconds=backoff.seconds,
                **fields,
            )
            return False
        except BaseException as error:  # noqa: BLE001 - also what means to end a thread, or the process
            backoff.longer()
            tell(self.beat, error, backoff.seconds, **fields)
            return False
        backoff.reset()
        return True


class Step:
    """One thing that a loop does again and again: where it raises, only it comes later."""

    def __init__(self, guard: Guard, act: Callable[[], None]) -> None:
        self._guard = guard
        self._act = act
        self._backoff = Backoff(guard.ticks)

    def __call__(self) -> bool:
        """Whether its time had come, and it went well. Raises `StorageUnavailable`, as `Guard` does."""
        if self._backoff.waits:
            return False
        started = time.monotonic()
        is_good = self._guard(self._act, self._backoff)
        if is_good and logging.getLogger("libra").isEnabledFor(VERBOSE):
            seconds = round(time.monotonic() - started, 6)
            log.debug("a loop turned", action="turn", loop=self._guard.beat.name, seconds=seconds)
        return is_good


class Singly:
    """Does something to each of many, again and again: one that raises is passed by for a while, the others are not."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._backoffs: dict[str, Backoff] = {}

    def each(self, items: Iterable[T], key: Callable[[T], str], act: Callable[[T], None]) -> None:
        """`key` is an id that a log may show. Raises `StorageUnavailable`, as `Guard` does."""
        kept: dict[str, Backoff] = {}
        for item in items:
            name = key(item)
            backoff = self._backoffs.get(name) or Backoff(self._guard.ticks)
            if backoff.waits or not self._guard(partial(act, item), backoff, item=name):
                kept[name] = backoff
        self._backoffs = kept


class Loop:
    """A thread that turns from `start` to `stop`; `turn` does its own waiting, at most the beat's interval."""

    def __init__(self, beat: Beat, turn: Callable[[], None]) -> None:
        self.beat = beat
        self._turn = turn
        self._backoff = Backoff()
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=beat.name)

    def start(self) -> None:
        """Returns at once."""
        self.beat.beat()
        self._thread.start()

    def stop(self, seconds: float, wake: Callable[[], None] = lambda: None) -> None:
        """No turn begins any more; waits so long for the end of one that is under way, which `wake` may hasten.

        Idempotent.
        """
        self.stopping.set()
        wake()
        if self._thread.ident is not None:
            self._thread.join(seconds)
        self.beat.rest()

    @property
    def is_alive(self) -> bool:
        """Whether a turn is still under way, also after `stop`."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self.stopping.is_set():
            try:
                self._turn()
                self._backoff.reset()
            except StorageUnavailable as error:
                self.beat.fail(error)
                log.warning("the database does not answer", action=self.beat.name, error=str(error))
                self.stopping.wait(FIRST_PAUSE_SECONDS)
            except BaseException as error:  # noqa: BLE001 - nothing ends it but `stop`
                self._backoff.longer()
                tell(self.beat, error, self._backoff.seconds)
                self._pause()
            self.beat.beat()

    def _pause(self) -> None:
        """It beats: to wait is no hanging."""
        while self._backoff.waits and not self.stopping.wait(FIRST_PAUSE_SECONDS / 2):
            self.beat.beat()


def tell(beat: Beat, error: BaseException, seconds: float, **fields: str) -> None:
    """The log, and the beat. What cannot be told, for there is no memory left, is no reason to end."""
    with suppress(BaseException):
        beat.fail(error)
        log.error(
            "internal error",
            action=beat.name,
            seconds=seconds,
            exc_info=error,
            **fields,
        )
