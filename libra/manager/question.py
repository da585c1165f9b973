"""One question to a device, and the record of it: of each kind only the newest is kept for a device."""

from dataclasses import replace
from datetime import timedelta
from uuid import NAMESPACE_OID, uuid5

from libra.errors import Invalid, JobDeadlinePassed, JobError
from libra.jobs.base import JobClient, Priority
from libra.manager.settle import MANAGER
from libra.messages.codec import JsonObject, decode, encode
from libra.messages.replies import ERROR, passed
from libra.model.device import Device
from libra.model.job import FINAL, Job, JobAction, JobPriority, JobState
from libra.storage.base import UnitOfWork
from libra.usecases.outbox import build_job
from libra.usecases.services import Services

MOST_STORED = 4000  # characters of a reply that are kept: it comes every few seconds, and as a job's whenever asked for


class Question:
    """What one probe asks. `records` are to be stored with what follows from the replies, in one transaction."""

    def __init__(
        self, services: Services, client: JobClient, device: Device, seconds: float
    ) -> None:
        self._services = services
        self._client = client
        self._device = device
        self._seconds = seconds
        self.records: list[Job] = []

    def ask(self, action: JobAction) -> JsonObject:
        """The reply; raises `JobError` and `Invalid`, which are recorded, too."""
        sent = build_probe(self._services, self._device, action, self._seconds)
        try:
            raw = self._client.submit(
                self._device.name,
                sent.message.encode(),
                timeout=self._seconds,
                priority=Priority.HIGH,
            )
            reply = decode(raw)
        except (JobError, Invalid) as error:
            late = isinstance(error, JobDeadlinePassed)
            self._record(sent, JobState.EXPIRED if late else JobState.FAILED, error=str(error))
            raise
        if passed(reply):
            self._record(sent, JobState.COMPLETE, reply=_shorten(raw))
        else:
            why = str(reply.get(ERROR) or f"{action.value} failed")
            self._record(sent, JobState.FAILED, reply=_shorten(raw), error=why)
        return reply

    def _record(self, sent: Job, state: JobState, reply: str = "", error: str = "") -> None:
        now = self._services.clock()
        ended = replace(sent, state=state, updated_at=now, reply=reply, error=error)
        self.records.append(ended)
        self._services.meters.count_probe(
            sent.action, state, (now - sent.created_at).total_seconds()
        )


def build_probe(services: Services, device: Device, action: JobAction, seconds: float) -> Job:
    """Its id is made of the device's, so that the next one takes its place."""
    job = build_job(
        services,
        MANAGER,
        device,
        action,
        timedelta(seconds=seconds),
        priority=JobPriority.HIGH,
        attempts=1,
        message=encode({"hpcs_action": action.value}).decode(),
    )
    key = str(uuid5(NAMESPACE_OID, f"probe {device.id} {action.value}"))
    return replace(job, id=key, sent_at=job.created_at)


def store_probes(unit: UnitOfWork, records: list[Job]) -> None:
    """In place of those before; one that somebody has asked to be tried again is left to itself."""
    for record in records:
        if not unit.jobs.change(record.id, record, FINAL) and unit.jobs.get(record.id) is None:
            unit.jobs.add(record)


def _shorten(raw: bytes) -> str:
    text = raw.decode(errors="replace")
    return text if len(text) <= MOST_STORED else f"{text[:MOST_STORED]}..."
