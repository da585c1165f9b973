"""The in-memory twin of a job server, its clients and its sources; for tests and for one process."""

import threading
import time
from collections import deque
from collections.abc import Callable
from enum import Enum, auto

from libra.errors import JobDeadlinePassed, JobFailed, JobServerUnavailable
from libra.jobs.base import Priority, TakenJob
from libra.messages.fields import quoted


class _State(Enum):
    WAITING = auto()
    HELD = auto()
    DONE = auto()
    FAILED = auto()
    LOST = auto()


class _Job:
    """One submitted job. Every field changes under the server's lock only."""

    def __init__(self, function: str, payload: bytes, priority: Priority, handle: str) -> None:
        self.function = function
        self.payload = payload
        self.priority = priority
        self.handle = handle
        self.state = _State.WAITING
        self.deliveries = 0
        self.unique: str | None = None
        self.reply = b""


class MemoryJobServer:
    """Hands jobs from its clients to its sources. `stop` and `start` are for trying out an outage."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[tuple[str, Priority], deque[_Job]] = {}
        self._jobs: set[_Job] = set()
        self._count = 0
        self._up = True

    def client(self) -> "MemoryJobClient":
        """A `JobClient` of this server."""
        return MemoryJobClient(self)

    def source(self, function: str) -> "MemoryJobSource":
        """A `JobSource` of this server."""
        return MemoryJobSource(self, function)

    def stop(self) -> None:
        """An outage: whoever waits for a reply gets `JobServerUnavailable`, and the jobs are gone."""
        with self._changed:
            self._up = False
            for job in self._jobs:
                job.state = _State.LOST
            self._jobs.clear()
            self._waiting.clear()
            self._changed.notify_all()

    def start(self) -> None:
        """End of the outage."""
        with self._changed:
            self._up = True

    @property
    def up(self) -> bool:
        """Whether it is not stopped."""
        return self._up

    def count(self, function: str) -> int:
        """How many jobs of a function wait or are held."""
        with self._changed:
            return sum(job.function == function for job in self._jobs)

    def add(self, function: str, payload: bytes, priority: Priority) -> _Job:
        """Let a job wait."""
        with self._changed:
            if not self._up:
                raise JobServerUnavailable("cannot submit a job: the server is stopped")
            self._count += 1
            job = _Job(function, payload, priority, f"M:{self._count}")
            self._jobs.add(job)
            self._queue(job).append(job)
            self._changed.notify_all()
            return job

    def leave(self, function: str, payload: bytes, unique: str) -> None:
        """Let a job wait that nobody waits for, unless one of that name does."""
        with self._changed:
            waiting = self._waiting.get((function, Priority.NORMAL), ())
            if not any(job.unique == unique for job in waiting):
                self.add(function, payload, Priority.NORMAL).unique = unique

    def wait(self, job: _Job, timeout: float, given_up: Callable[[], bool]) -> _State:
        """The job's state once it has ended, or as it is when the time is over; a waiting one is withdrawn then."""
        ended = (_State.DONE, _State.FAILED, _State.LOST)
        with self._changed:
            self._changed.wait_for(lambda: job.state in ended or given_up(), timeout)
            if job.state is _State.WAITING:
                self._queue(job).remove(job)
            self._jobs.discard(job)
            return job.state

    def give(self, function: str, timeout: float, closed: Callable[[], bool]) -> _Job | None:
        """The next waiting job of a function, which is held from now on."""
        end = time.monotonic() + timeout
        with self._changed:
            while not closed():
                for priority in Priority:
                    queue = self._waiting.get((function, priority))
                    if queue:
                        job = queue.popleft()
                        job.state = _State.HELD
                        job.deliveries += 1
                        return job
                if not self._changed.wait(max(0.0, end - time.monotonic())):
                    return None
            return None

    def end(self, job: _Job, delivery: int, state: _State, reply: bytes = b"") -> None:
        """Answer a held job, unless it was given to somebody else since."""
        with self._changed:
            if job.state is _State.HELD and job.deliveries == delivery:
                job.state, job.reply = state, reply
                if job.unique is not None:
                    self._jobs.discard(job)
                self._changed.notify_all()

    def take_back(self, jobs: list[_Job]) -> None:
        """Let held jobs wait again, before all others."""
        with self._changed:
            for job in reversed(jobs):
                if job.state is _State.HELD:
                    job.state = _State.WAITING
                    if job in self._jobs:
                        self._queue(job).appendleft(job)
            self._changed.notify_all()

    def notify(self) -> None:
        """Let everybody who waits look again."""
        with self._changed:
            self._changed.notify_all()

    def _queue(self, job: _Job) -> deque[_Job]:
        return self._waiting.setdefault((job.function, job.priority), deque())


class MemoryJobClient:
    """A `JobClient` of a `MemoryJobServer`."""

    def __init__(self, server: MemoryJobServer) -> None:
        self._server = server
        self._closed = False

    def submit(
        self, function: str, payload: bytes, *, timeout: float, priority: Priority = Priority.NORMAL
    ) -> bytes:
        """The reply to one job; see `JobClient`."""
        if self._closed:
            raise JobServerUnavailable("cannot submit a job: the client is closed")
        job = self._server.add(function, payload, priority)
        subject = f"cannot get a reply to a job for {quoted(function)}"
        match self._server.wait(job, timeout, lambda: self._closed):
            case _State.DONE:
                return job.reply
            case _State.FAILED:
                raise JobFailed(f"{subject}: the worker gave it back without a reply")
            case _State.LOST:
                raise JobServerUnavailable(f"{subject}, which may have run: the server stopped")
        if self._closed:
            raise JobServerUnavailable(f"{subject}, which may have run: the client was closed")
        raise JobDeadlinePassed(f"{subject} within {timeout:g} s")

    def leave(self, function: str, payload: bytes, *, unique: str, timeout: float) -> None:
        """See `JobClient`."""
        del timeout  # nothing takes time here
        if self._closed:
            raise JobServerUnavailable("cannot submit a job: the client is closed")
        self._server.leave(function, payload, unique)

    def close(self) -> None:
        """Give up what still waits."""
        self._closed = True
        self._server.notify()


class MemoryJobSource:
    """A `JobSource` of a `MemoryJobServer`; it fetches nothing ahead."""

    def __init__(self, server: MemoryJobServer, function: str) -> None:
        self._server = server
        self._function = function
        self._given: list[_Job] = []
        self._drained = False
        self._closed = False

    def take(self, timeout: float) -> TakenJob | None:
        """The next job, or None after `timeout` seconds, or once drained or closed."""
        job = self._server.give(self._function, timeout, lambda: self._drained)
        if job is None:
            return None
        self._given = [other for other in self._given if other.state is _State.HELD]
        self._given.append(job)
        return MemoryTakenJob(self._server, job)

    def connected(self) -> int:
        """1 while the server is up."""
        return int(self._server.up and not self._closed)

    def heard(self) -> float:
        """Now, while the server is up."""
        return time.monotonic() if self.connected() else 0.0

    def drain(self) -> None:
        """Take no more."""
        self._drained = True
        self._server.notify()

    def close(self) -> None:
        """Take no more, and give back what is held."""
        self._closed = True
        self.drain()
        given, self._given = self._given, []
        self._server.take_back(given)


class MemoryTakenJob:
    """A `TakenJob` of a `MemoryJobServer`."""

    def __init__(self, server: MemoryJobServer, job: _Job) -> None:
        self._server = server
        self._job = job
        self._delivery = job.deliveries

    @property
    def handle(self) -> str:
        """The server's name for the job."""
        return self._job.handle

    @property
    def payload(self) -> bytes:
        """What was submitted."""
        return self._job.payload

    def complete(self, reply: bytes) -> None:
        """End the job with a reply."""
        self._server.end(self._job, self._delivery, _State.DONE, reply)

    def fail(self) -> None:
        """End the job without one."""
        self._server.end(self._job, self._delivery, _State.FAILED)
