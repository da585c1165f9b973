"""One job on one connection: submitted, accepted, answered."""

from dataclasses import dataclass

from gear import constants

from libra.errors import JobDeadlinePassed, JobFailed, JobServerSilent, JobServerUnavailable
from libra.jobs.base import Priority
from libra.jobs.gearman.deadline import Deadline
from libra.jobs.gearman.packets import MOST_BYTES, Packet
from libra.jobs.gearman.wire import Wire, WireError
from libra.messages.fields import quoted

SUBMIT = {
    Priority.HIGH: constants.SUBMIT_JOB_HIGH,
    Priority.NORMAL: constants.SUBMIT_JOB,
    Priority.LOW: constants.SUBMIT_JOB_LOW,
}
ASK_STATUS_SECONDS = 0.5
"""How long before the deadline the server is asked whether a worker has the job."""
SLOWEST_BYTES_PER_SECOND = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Job:
    """What is submitted."""

    function: str
    payload: bytes
    priority: Priority
    timeout: float
    """Seconds that it may take altogether, for texts."""
    unique: str | None = None
    """Of a job that nobody waits for: what tells it from others."""


class NotAccepted(Exception):
    """The server has not taken the job, so another one may be asked. The text says why."""


class LostBefore(NotAccepted):
    """The connection was lost before the server took the job."""


class Exchange:
    """Submits one job, and waits for its reply. The connection serves nobody else meanwhile."""

    def __init__(self, wire: Wire, job: Job, deadline: Deadline) -> None:
        self._wire = wire
        self._job = job
        self._deadline = deadline
        self._handle = b""
        self._running: bool | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self.reusable = False
        """True once the exchange has ended in a way that leaves the connection good for another."""

    def submit(self, patience_seconds: float) -> None:
        """Return once the server has accepted the job. Raises `NotAccepted`."""
        job = self._job
        patience = patience_seconds + len(job.payload) / SLOWEST_BYTES_PER_SECOND
        try:
            kind = SUBMIT[job.priority] if job.unique is None else constants.SUBMIT_JOB_BG
            unique = (job.unique or "").encode()
            self._wire.send(kind, job.function.encode(), unique, job.payload)
            self._await_handle(patience)
            self.reusable = job.unique is not None
        except WireError as error:
            raise LostBefore(str(error)) from error

    def reply(self) -> bytes:
        """The worker's reply. Raises `JobFailed`, `JobDeadlinePassed`, `JobServerUnavailable`."""
        asking = Deadline(self._deadline.left() - min(ASK_STATUS_SECONDS, self._job.timeout / 3))
        try:
            reply = self._await_end(asking)
            if reply is None:
                # Nearly over: find out for the text whether anybody has begun with it.
                self._wire.send(constants.GET_STATUS, self._handle)
                reply = self._await_end(self._deadline)
        except WireError as error:
            raise JobServerUnavailable(
                f"{self._subject()}, which may have run: {self._wire.name}: {error}"
            ) from error
        if reply is None:
            kind = JobServerSilent if self._running is None else JobDeadlinePassed
            raise kind(self._explain_deadline())
        return reply

    def _await_handle(self, patience_seconds: float) -> None:
        deadline = self._deadline.within(patience_seconds)
        while (packet := self._wire.receive(deadline)) is not None:
            match packet.ptype:
                case constants.JOB_CREATED:
                    self._handle = packet.data
                    return
                case constants.ERROR:
                    raise NotAccepted(f"it refuses the job: {_error_text(packet)}")
                case _:
                    pass  # the answer to the option, at the first job
        raise NotAccepted(f"no answer within {min(patience_seconds, self._job.timeout):.2g} s")

    def _await_end(self, deadline: Deadline) -> bytes | None:
        while (packet := self._wire.receive(deadline)) is not None:
            reply = self._take(packet)
            if reply is not None:
                return reply
        return None

    def _take(self, packet: Packet) -> bytes | None:
        """The whole reply, where this packet ends it."""
        if packet.ptype != constants.ERROR and packet.getArgument(0) != self._handle:
            return None  # a late word on the job before, or the answer to the option
        match packet.ptype:
            case constants.WORK_COMPLETE:
                self._collect(packet)
                self.reusable = True
                return b"".join(self._parts)
            case constants.WORK_FAIL:
                self.reusable = True
                raise JobFailed(f"{self._subject()}: the worker gave it back without a reply")
            case constants.WORK_EXCEPTION:
                text = quoted(packet.getArgument(1, True).decode(errors="replace"))
                raise JobFailed(f"{self._subject()}: the worker reports {text}")
            case constants.ERROR:
                raise JobFailed(f"{self._subject()}: the job server reports {_error_text(packet)}")
            case constants.WORK_DATA:
                self._collect(packet)
            case constants.STATUS_RES:
                self._running = packet.getArgument(2) == b"1"
            case _:
                pass  # progress and warnings are not used
        return None

    def _collect(self, packet: Packet) -> None:
        part = packet.getArgument(1, True)
        self._size += len(part)
        if self._size > MOST_BYTES:
            raise JobFailed(f"{self._subject()}: the reply has more than {MOST_BYTES} bytes")
        self._parts.append(part)

    def _subject(self) -> str:
        return f"cannot get a reply to a job for {quoted(self._job.function)}"

    def _explain_deadline(self) -> str:
        state = {
            True: "a worker had begun with it, and may still finish it",
            False: "no worker had begun with it",
            None: "the job server does not answer any more",
        }[self._running]
        return f"{self._subject()} within {self._job.timeout:g} s: {state}"


def _error_text(packet: Packet) -> str:
    return quoted(packet.data.replace(b"\0", b" ").decode(errors="replace"))
