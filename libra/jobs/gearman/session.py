"""One connection on which a function is registered, and the jobs that came over it."""

import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

import structlog
from gear import constants

from libra.errors import Invalid
from libra.jobs.gearman.bell import Bell
from libra.jobs.gearman.deadline import Deadline
from libra.jobs.gearman.packets import Packet, ensure_sendable
from libra.jobs.gearman.shelf import Shelf
from libra.jobs.gearman.wire import Wire, WireError

log = structlog.get_logger(__name__)

ASK_AGAIN_SECONDS = 30.0
"""How long a server is trusted to wake a sleeping worker, or may take to answer."""


class GearmanJob:
    """A `TakenJob`; it belongs to the connection that it came over, and to no later one."""

    def __init__(self, session: "Session", handle: bytes, payload: bytes) -> None:
        self.session = session
        self.binary_handle = handle
        self._payload = payload

    @property
    def handle(self) -> str:
        """The server's name for the job, for logs."""
        return self.binary_handle.decode(errors="replace")

    @property
    def payload(self) -> bytes:
        """What was submitted."""
        return self._payload

    def complete(self, reply: bytes) -> None:
        """End the job with a reply; one that no packet can hold fails it."""
        try:
            ensure_sendable(len(reply))
        except Invalid as error:
            log.error("cannot answer a job", action="answer", job=self.handle, error=str(error))
            self.fail()
        else:
            self.session.answer(self, constants.WORK_COMPLETE, reply)

    def fail(self) -> None:
        """End the job without a reply."""
        self.session.answer(self, constants.WORK_FAIL)


@dataclass(frozen=True, slots=True)
class Desk:
    """What every connection of one source shares."""

    function: bytes
    shelf: Shelf[GearmanJob]
    pulse: float | None = (
        None  # seconds of silence after which a server is asked for a job, as a sign of life
    )
    stopping: threading.Event = field(default_factory=threading.Event)
    draining: threading.Event = field(default_factory=threading.Event)


class _Phase(Enum):
    IDLE = auto()  # the server owes nothing
    ASKED = auto()  # it owes a job or "no job"
    ASLEEP = auto()  # it wakes us when there is a job


class Session:
    """The worker's half of the protocol, run by one thread; any thread may answer jobs.

    It asks for the next job as soon as the last one is on the shelf, whether that is finished or not: so a long
    job never keeps another from being taken from the same server. It never asks without a place on the shelf.
    """

    def __init__(
        self, wire: Wire, desk: Desk, bell: Bell, note_registered: Callable[[bool], None]
    ) -> None:
        self._wire = wire
        self._desk = desk
        self._bell = bell
        self._note_registered = note_registered
        self._lock = threading.Lock()
        self._held: set[bytes] = set()
        self._answering = 0
        self._phase = _Phase.IDLE
        self._ask_again = Deadline(ASK_AGAIN_SECONDS)
        self._unregistered = False
        self.heard = 0.0

    def run(self) -> None:
        """Until the source stops. Raises `WireError` once the connection is lost."""
        poll = select.poll()
        poll.register(self._wire.fileno(), select.POLLIN)
        poll.register(bell := self._bell.fileno(), select.POLLIN)
        try:
            self.begin()
            while not self._desk.stopping.is_set():
                ready = poll.poll(self._ask_again.left() * 1000 + 1)  # never 0: no spinning
                if any(number == bell for number, _event in ready):
                    self._bell.quiet()
                self.turn()
        finally:
            self.end()

    # For who polls many of them in one thread.

    def begin(self) -> None:
        """Register the function. Raises `WireError`, as `turn` does."""
        self._wire.send(constants.SET_CLIENT_ID, self._desk.function)
        self._wire.send(constants.CAN_DO, self._desk.function)
        self._advance()

    def turn(self) -> None:
        """Read what has come, and go on. Also due every `ASK_AGAIN_SECONDS`, and when there is room for a job."""
        self._read()
        self._advance()

    def end(self) -> None:
        """The connection is lost, or the source stops: what was fetched over it is no job of ours any more."""
        self._desk.shelf.remove(self._is_mine)
        if self._phase is _Phase.ASKED:
            self._desk.shelf.release()

    def answer(self, job: GearmanJob, kind: int, *data: bytes) -> None:
        """End a job, once; a lost connection is only logged, for the server then gives the job out again."""
        with self._lock:
            if job.binary_handle not in self._held:
                return
            self._held.discard(job.binary_handle)
            self._answering += 1
        try:
            self._wire.send(kind, job.binary_handle, *data)
        except WireError as error:
            log.warning(
                f"cannot answer a job, which will be given out again: {error}",
                action="answer",
                job=job.handle,
                server=self._wire.name,
            )
            self._wire.abort()
        finally:
            with self._lock:
                self._answering -= 1
            if self._desk.draining.is_set():
                self._bell.ring()

    def _read(self) -> None:
        while not self._desk.stopping.is_set():
            packet = self._wire.receive_now()
            if packet is None:
                return
            self._handle(packet)
            self._advance()

    def _advance(self) -> None:
        """Ask for a job where one may come, or unregister where none shall."""
        if self._ask_again.passed():
            self._lose_trust()
        if self._desk.draining.is_set():
            self._unregister_when_free()
            return
        if self._phase is _Phase.IDLE and self._desk.shelf.reserve(self._bell.ring):
            self._phase = _Phase.ASKED
            self._ask_again = Deadline(ASK_AGAIN_SECONDS)
            self._wire.send(constants.GRAB_JOB_UNIQ)

    def _lose_trust(self) -> None:
        """A wake-up may have been lost; a server that owes an answer is frozen, or behind a cut link."""
        self._ask_again = Deadline(ASK_AGAIN_SECONDS)
        if self._phase is _Phase.ASLEEP:
            self._phase = _Phase.IDLE
        elif self._phase is _Phase.ASKED:
            self._note_registered(False)

    def _handle(self, packet: Packet) -> None:
        self.heard = time.monotonic()
        match packet.ptype:
            case constants.JOB_ASSIGN_UNIQ:
                self._put(packet.getArgument(0), packet.getArgument(3, True))
            case constants.JOB_ASSIGN:
                self._put(packet.getArgument(0), packet.getArgument(2, True))
            case constants.NO_JOB if self._phase is _Phase.ASKED:
                self._desk.shelf.release()
                self._phase = _Phase.ASLEEP
                self._ask_again = Deadline(self._desk.pulse or ASK_AGAIN_SECONDS)
                self._wire.send(constants.PRE_SLEEP)
                self._note_registered(True)
            case constants.NOOP if self._phase is _Phase.ASLEEP:
                self._phase = _Phase.IDLE
            case constants.ERROR:
                text = packet.data.replace(b"\0", b" ").decode(errors="replace")
                log.warning("the job server reports an error", action="work", error=text)
            case _:
                pass  # a NOOP that was on its way while we asked

    def _put(self, handle: bytes, payload: bytes) -> None:
        job = GearmanJob(self, handle, payload)
        with self._lock:
            self._held.add(handle)
        if self._phase is _Phase.ASKED:
            self._phase = _Phase.IDLE
            self._desk.shelf.put(job, weight=len(payload))
        self._note_registered(True)

    def _unregister_when_free(self) -> None:
        """gearmand takes back every running job of a function that is unregistered, so it must wait for the last."""
        if self._unregistered:
            return
        not_given_out = self._desk.shelf.remove(self._is_mine)
        with self._lock:
            self._held.difference_update(job.binary_handle for job in not_given_out)
            free = not self._held and not self._answering
        if free:
            self._unregistered = True
            self._wire.send(constants.CANT_DO, self._desk.function)

    def _is_mine(self, job: GearmanJob) -> bool:
        return job.session is self
