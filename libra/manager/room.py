"""Where the manager's steps are: what they are called, how often they come, what they work on."""

from collections.abc import Callable
from datetime import datetime, timedelta

from libra.daemon.beats import Beats
from libra.daemon.loop import Guard, Step
from libra.storage.base import Storage

DATABASE = "database"
JOB_SERVERS = "job servers"
PROVIDERS = "providers"
LEASE = "lease"
BELL = "bell"


class Room:
    """Makes the guards of one manager; each has a beat of its own."""

    def __init__(self, beats: Beats, storage: Storage) -> None:
        self.beats = beats
        self._check = storage.check

    def guard(self, name: str, interval: float, *stores: str) -> Guard:
        """`interval` in seconds."""
        beat = self.beats.add(name, interval=interval, stores=(DATABASE, *stores))
        return Guard(beat, self._check, self.beats.ticks)


class Timed:
    """A step that comes every so many seconds; `every` may say another number each time."""

    def __init__(
        self, guard: Guard, every: Callable[[], float], act: Callable[[datetime], None]
    ) -> None:
        self._step = Step(guard, lambda: act(self._begun))
        self._every = every
        self._due: datetime | None = None
        self._begun: datetime

    def turn(self, now: datetime) -> None:
        """Do it where it is time; raises `StorageUnavailable` and nothing else.

        A clock that was set back makes nobody wait.
        """
        every = timedelta(seconds=self._every())
        if self._due is None or now >= self._due or self._due - now > every:
            self._due = now + every
            self._begun = now
            self._step()
