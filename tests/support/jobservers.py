"""The three kinds of job server under one roof, with everything that was opened on them closed at the end."""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

from libra.config.settings import JobServerSettings
from libra.jobs.base import JobClient, JobSource, TakenJob
from libra.jobs.embedded import EmbeddedJobServer
from libra.jobs.gearman import GearmanJobClient, GearmanJobSource
from libra.jobs.memory import MemoryJobServer
from tests.support.gearmand import Gearmand, read_admin
from tests.support.ports import LOOPBACK, wait_until

REGISTER_SECONDS = 10.0


class JobLab(Protocol):
    """A job server that can be stopped and started, and what connects to it."""

    def client(self) -> JobClient: ...

    def source(self, function: str) -> JobSource:
        """A source that is registered already."""

    def waiting(self, function: str) -> int:
        """How many jobs of a function wait or run."""

    def stop(self) -> None: ...

    def start(self) -> None: ...


def settings_for(*ports: int) -> list[JobServerSettings]:
    """Plain servers on the loopback address."""
    return [JobServerSettings(host=LOOPBACK, port=port) for port in ports]


def await_registered(source: JobSource, servers: int = 1) -> None:
    """Return once the source is registered at that many servers."""
    wait_until(
        lambda: source.connected() == servers,
        timeout=REGISTER_SECONDS,
        what=f"registration at {servers} servers",
    )


def count_jobs(port: int, function: str) -> int:
    """How many jobs of a function wait or run at a server."""
    return int(read_admin(port, "status").get(function.encode(), [b"0"])[0])


class MemoryLab:
    """The in-memory twin."""

    def __init__(self) -> None:
        self._server = MemoryJobServer()
        self.stop = self._server.stop
        self.start = self._server.start
        self.client = self._server.client
        self.source = self._server.source
        self.waiting = self._server.count


class GearmanLab:
    """Our client and source on one Gearman server, whichever."""

    def __init__(self, server: Gearmand | EmbeddedJobServer, closing: contextlib.ExitStack) -> None:
        self._closing = closing
        self._port = server.port
        self.waiting = functools.partial(count_jobs, server.port)
        self.stop = server.stop
        self.start = server.start

    def client(self) -> GearmanJobClient:
        client = GearmanJobClient(settings_for(self._port))
        self._closing.callback(client.close)
        return client

    def source(self, function: str) -> GearmanJobSource:
        source = GearmanJobSource(settings_for(self._port), function, ahead=2)
        self._closing.callback(source.close)
        await_registered(source)
        return source


@contextlib.contextmanager
def run_lab(kind: str) -> Iterator[JobLab]:
    """`kind`: memory, embedded or gearmand."""
    with contextlib.ExitStack() as closing:
        match kind:
            case "memory":
                yield MemoryLab()
            case "embedded":
                server = EmbeddedJobServer()
                server.start()
                closing.callback(server.stop)
                yield GearmanLab(server, closing)
            case _:
                gearmand = closing.enter_context(Gearmand())
                yield GearmanLab(gearmand, closing)


class Worker:
    """Answers the jobs of a source in a thread, until the source is closed or drained."""

    def __init__(self, source: JobSource, answer: Callable[[TakenJob], None] | None = None) -> None:
        self._source = source
        self._answer = answer or (lambda job: job.complete(job.payload))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._stopping.is_set():
            job = self._source.take(0.05)
            if job is not None:
                self._answer(job)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


@contextlib.contextmanager
def working(
    source: JobSource, answer: Callable[[TakenJob], None] | None = None
) -> Iterator[Worker]:
    """Answer jobs meanwhile; by default with their own payload."""
    worker = Worker(source, answer)
    try:
        yield worker
    finally:
        worker.stop()


class Submission:
    """A job submitted in a thread of its own."""

    def __init__(self, submit: Callable[[], bytes]) -> None:
        self._result: bytes | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(submit,), daemon=True)
        self._thread.start()

    def _run(self, submit: Callable[[], bytes]) -> None:
        try:
            self._result = submit()
        except Exception as error:  # noqa: BLE001 - handed to whoever asks for the reply
            self._error = error

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def reply(self, timeout: float = 10.0) -> bytes:
        """The reply, or the error raised."""
        self._thread.join(timeout)
        assert self.ended, "the submission has not ended"
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result


def submitting(
    client: JobClient, function: str, payload: bytes = b"", timeout: float = 10.0, **options: object
) -> Submission:
    """Submit a job, and go on meanwhile."""
    return Submission(
        lambda: client.submit(function, payload, timeout=timeout, **options)  # type: ignore[arg-type]
    )
