"""What the fleet served over the last minutes, for the charts: kept in memory, read from the counters now and then."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from libra.daemon.beats import Beats
from libra.daemon.loop import Loop
from libra.errors import StorageUnavailable
from libra.storage.base import Storage, UnitOfWork
from libra.storage.kinds import Served

log = structlog.get_logger(__name__)

EVERY_SECONDS = 2.0
KEPT = 150  # five minutes
STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Sample:
    """`at` is monotonic; None where the database did not answer."""

    at: float
    served: Served | None


@dataclass(frozen=True, slots=True)
class Rates:
    """A second, oldest first; None where nothing is known. `errors` is a share of the requests, 0 to 1."""

    requests: tuple[float | None, ...] = ()
    errors: tuple[float | None, ...] = ()
    bytes_out: tuple[float | None, ...] = ()


def compute_rates(samples: list[Sample], window: float) -> Rates:
    """Over `window` seconds each, for devices tell what they counted only so often. Pure."""
    requests: list[float | None] = []
    errors: list[float | None] = []
    bytes_out: list[float | None] = []
    first = 0  # the newest one that is a window old, else the oldest
    for index, now in enumerate(samples):
        while first + 1 < index and now.at - samples[first + 1].at >= window:
            first += 1
        before = samples[first]
        seconds = now.at - before.at
        if now.served is None or before.served is None or seconds < window / 2 or before is now:
            requests.append(None)
            errors.append(None)
            bytes_out.append(None)
            continue
        made = max(0, now.served.requests - before.served.requests)
        failed = max(0, now.served.errors - before.served.errors)
        requests.append(made / seconds)
        errors.append(min(1.0, failed / made) if made else 0.0)
        bytes_out.append(max(0, now.served.bytes_out - before.served.bytes_out) / seconds)
    return Rates(tuple(requests), tuple(errors), tuple(bytes_out))


class History:
    """Owned by who makes it: `start`, then `stop`. `window` is how long devices may take to tell news, in seconds."""

    def __init__(
        self,
        storage: Storage,
        window: float,
        beats: Beats,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._storage = storage
        self._window = max(window, 2 * EVERY_SECONDS)
        self._clock = clock
        self._lock = threading.Lock()
        self._samples: deque[Sample] = deque(maxlen=KEPT)
        beat = beats.add("history", interval=EVERY_SECONDS, stores=("database",), endless=True)
        self._loop = Loop(beat, self._turn)

    def start(self) -> None:
        """Begin to look."""
        self._loop.start()

    def stop(self) -> None:
        """Idempotent."""
        self._loop.stop(STOP_SECONDS)

    def rates(self) -> Rates:
        """Up to now."""
        with self._lock:
            samples = list(self._samples)
        return compute_rates(samples, self._window)

    def look(self) -> None:
        """Once; a database that does not answer leaves a gap."""
        served = None
        try:
            served = self._storage.look(_served)
        except StorageUnavailable as error:
            log.debug("cannot read the counters now", action="history", error=str(error))
        with self._lock:
            self._samples.append(Sample(self._clock(), served))

    def _turn(self) -> None:
        self.look()
        self._loop.stopping.wait(EVERY_SECONDS)


def _served(unit: UnitOfWork) -> Served:
    return unit.figures.served()
