"""One job from its bytes to its answer. Whatever happens, the job is answered and nothing is raised."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import structlog

from libra.errors import Invalid
from libra.jobs.base import TakenJob
from libra.messages.codec import JsonObject, decode, encode
from libra.messages.replies import ERROR, RESPONSE, build_fail, passed, splice
from libra.messages.requests import Action, is_dry_run, parse_action

log = structlog.get_logger(__name__)

T = TypeVar("T")

INTERNAL = "internal error; the worker's log has the details"


class Controller(Protocol):
    """What the daemon asks of an `LBaaSController`."""

    def handle(self, message: object) -> JsonObject:
        """The reply to a message."""

    def pass_over(self, message: object) -> JsonObject:
        """The reply to an UPDATE that one after it, which was carried out, has replaced."""

    def restore(self) -> None:
        """Bring the proxy to the saved state; raises `LibraError`."""

    def ensure(self) -> None:
        """Bring a proxy back that ended by itself; raises `LibraError`."""


@dataclass(frozen=True, slots=True)
class ReadJob:
    """A job whose bytes were read: a message, or the reason why it is none.

    `dry_run`: whatever its action is, it changes nothing.
    """

    job: TakenJob
    message: JsonObject | None
    fault: str = ""
    action: Action | None = None
    dry_run: bool = False
    taken: float = 0.0  # time.monotonic()


def read_job(job: TakenJob, read: Callable[[bytes], JsonObject] = decode) -> ReadJob:
    """Decode the payload; the action is None where the message names none that is known."""
    taken = time.monotonic()
    try:
        message = read(job.payload)
    except Invalid as error:
        return ReadJob(job, None, fault=str(error), taken=taken)
    action, dry_run = _if_readable(parse_action, message), _if_readable(is_dry_run, message)
    return ReadJob(job, message, action=action, dry_run=bool(dry_run), taken=taken)


def carry_out(read: ReadJob, controller: Controller) -> None:
    """Let the controller do what the message says, and answer."""
    started = start()
    answer(read, handle(controller, read), started)


def start() -> float:
    """For `answer`."""
    return time.monotonic()


def refuse(read: ReadJob, reason: str) -> None:
    """Answer FAIL without carrying it out."""
    answer(read, build_fail(read.message, reason), start())


def _if_readable(parse: Callable[[JsonObject], T], message: JsonObject) -> T | None:
    """Where it is not, the controller says what is wrong with it."""
    try:
        return parse(message)
    except Invalid:
        return None


def handle(controller: Controller, read: ReadJob, *, replaced: bool = False) -> JsonObject:
    """The reply. `replaced`: one after it was carried out in its place."""
    if read.message is None:
        return build_fail(None, read.fault)
    try:
        return (controller.pass_over if replaced else controller.handle)(read.message)
    except Exception:
        log.exception("internal error", action="handle")
        return build_fail(read.message, INTERNAL)


def answer(read: ReadJob, reply: JsonObject, started: float) -> None:
    """Send the reply, and log what came of the job."""
    data, reply = _encode(read, reply)
    _log(read, reply, started)
    read.job.complete(data)


def _encode(read: ReadJob, reply: JsonObject) -> tuple[bytes, JsonObject]:
    """A message may be nested deeper than its echo can be written: then the answer goes without the echo."""
    try:
        return splice(read.job.payload, read.message, reply) or encode(reply), reply
    except Invalid as error:
        bare = build_fail(None, str(error))
        return encode(bare), bare


def _log(read: ReadJob, reply: JsonObject, started: float) -> None:
    """One event a job, never its message: that may hold a token."""
    fields = {
        "action": read.action.value if read.action else "unknown",
        "handle": read.job.handle,
        "outcome": reply[RESPONSE],
        "milliseconds": round((time.monotonic() - started) * 1000, 1),
        "waited_milliseconds": round((started - read.taken) * 1000, 1),
    }
    if read.dry_run:
        fields["dry_run"] = True
    if passed(reply):
        log.info("job answered", **fields)
    else:
        log.warning("job answered", **fields, error=reply.get(ERROR))
