"""One job on its way: its message, the reply, and what that means."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from libra.errors import Invalid, JobError, LibraError, StorageUnavailable
from libra.jobs.base import JobClient, Priority
from libra.manager.plan import DevicePlan, WebPart, plan_device
from libra.manager.secrets import load_confirmed, load_materials
from libra.manager.settle import finish_job, settle_fail, settle_pass
from libra.manager.webparts import load_parts
from libra.messages.codec import JsonObject, decode, encode
from libra.messages.digest import digest_of
from libra.messages.older import build_older
from libra.messages.replies import ERROR, build_fail, masked, passed
from libra.messages.version2.nodes import FIELD, build_nodes
from libra.messages.version2.writer import build_update
from libra.model.device import Device
from libra.model.draining import drained_by
from libra.model.job import OPEN, Job, JobAction, JobPriority, JobState
from libra.model.nodestatus import NodeStatus, reported
from libra.model.resources.tree import LoadBalancerTree
from libra.storage.base import UnitOfWork, device_lock
from libra.storage.query import Query
from libra.usecases.services import Sealer, Services

log = structlog.get_logger(__name__)

LONGEST_ATTEMPT = timedelta(seconds=120)
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
MOST_STORED = 100_000  # characters of a message or a reply that are kept
_OFFLINE = Query(where={"status": NodeStatus.OFFLINE})
_PRIORITIES = {
    JobPriority.HIGH: Priority.HIGH,
    JobPriority.NORMAL: Priority.NORMAL,
    JobPriority.LOW: Priority.LOW,
}


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent, and for an UPDATE what its reply settles."""

    message: JsonObject
    plan: DevicePlan | None = None
    refusal: str = ""  # why it cannot even be sent
    sent_at: datetime | None = None


class Sender:
    """Sends jobs, each in the thread of its caller. Whatever happens, the job is settled or comes again."""

    def __init__(self, services: Services, client: JobClient) -> None:
        self._services = services
        self._client = client

    def send(self, job: Job) -> None:
        """Never raises."""
        try:
            self._send(job)
        except StorageUnavailable as error:
            log.warning("cannot settle a job now", action="settle", job=job.id, error=str(error))
        except Exception:
            log.exception("internal error", action="send", job=job.id)
            self._end_broken(job)

    def _send(self, job: Job) -> None:
        started = time.monotonic()
        parcel = self._begin(job)
        if parcel is None:
            return
        try:
            reply = build_fail(parcel.message, parcel.refusal) if parcel.refusal else None
            reply = reply or self._exchange(job, parcel.message)
        except (JobError, Invalid) as error:
            self._come_again(job, str(error))
            return
        self._settle(job, parcel, reply)
        self._services.meters.observe_job(job.action, time.monotonic() - started)

    def _begin(self, job: Job) -> Parcel | None:
        """Made of what is stored now; None where somebody has ended the job meanwhile."""
        with self._services.storage.writing() as unit:
            job = _newest(unit, job)
            now = self._services.clock()
            parcel = replace(self._build(unit, job), sent_at=now)
            running = replace(
                job,
                state=JobState.RUNNING,
                attempts=job.attempts + 1,
                message=_text(parcel.message),
                updated_at=now,
                sent_at=now,
            )
            return parcel if unit.jobs.change(job.id, running, OPEN) else None

    def _build(self, unit: UnitOfWork, job: Job) -> Parcel:
        match job.action:
            case JobAction.UPDATE:
                only = job.loadbalancer_id if job.alone else None
                plan = plan_now(unit, self._services.sealer, job.device_id, only)
                return _build_update(plan, unit.devices.get(job.device_id))
            case JobAction.ARCHIVE:
                return Parcel(decode(self._services.sealer.unseal(job.sealed).encode()))
            case _:
                return Parcel({"hpcs_action": job.action.value})

    def _exchange(self, job: Job, message: JsonObject) -> JsonObject:
        left = job.deadline - self._services.clock()
        longest = left if job.action is JobAction.ARCHIVE else min(left, LONGEST_ATTEMPT)
        reply = self._client.submit(
            job.device_name,
            encode(message),
            timeout=max(0.1, longest.total_seconds()),
            priority=_PRIORITIES[job.priority],
        )
        return decode(reply)

    def _come_again(self, job: Job, reason: str) -> None:
        """Until its deadline; then the manager ends it."""
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(job.attempts, 10))
        now = self._services.clock()
        log.info(
            "a job comes again", action="send", job=job.id, device=job.device_name, error=reason
        )
        with self._services.storage.writing() as unit:
            waiting = replace(
                job,
                state=JobState.SCHEDULED,
                attempts=job.attempts + 1,
                not_before=now + timedelta(seconds=pause),
                updated_at=now,
                error=reason,
            )
            unit.jobs.change(job.id, waiting, (JobState.RUNNING,))

    def _settle(self, job: Job, parcel: Parcel, reply: JsonObject) -> None:
        is_good = passed(reply)
        reason = "" if is_good else str(reply.get(ERROR) or "the worker gives no reason")
        with self._services.storage.writing() as unit:
            unit.hold(device_lock(job.device_id))
            if parcel.plan is not None and is_good:
                settle_pass(unit, self._services, job, parcel.plan, str(reply.get("digest", "")))
            elif parcel.plan is not None:
                settle_fail(unit, self._services, job, parcel.plan, reason)
            state = JobState.COMPLETE if is_good else JobState.FAILED
            answer = {name: value for name, value in reply.items() if name not in parcel.message}
            finish_job(
                unit,
                self._services,
                job,
                state,
                attempts=job.attempts + 1,
                sent_at=parcel.sent_at,
                message=_text(parcel.message),
                reply=_text(answer),
                error=reason,
            )
        log.info(
            "job settled",
            action=job.action.value,
            job=job.id,
            device=job.device_name,
            outcome=state.value,
            error=reason,
        )

    def _end_broken(self, job: Job) -> None:
        try:
            with self._services.storage.writing() as unit:
                finish_job(
                    unit, self._services, job, JobState.FAILED, error="internal error; see the log"
                )
        except LibraError as error:
            log.warning("cannot settle a job now", action="settle", job=job.id, error=str(error))


def _newest(unit: UnitOfWork, job: Job) -> Job:
    """With the token that it has by now: a fresh one may have been put into it since it was read."""
    if job.object_store_account is None:
        return job
    stored = unit.jobs.get(job.id)
    return replace(job, sealed=stored.sealed) if stored else job


def _build_update(plan: DevicePlan, device: Device | None) -> Parcel:
    """In the words that its worker knows."""
    if device is not None and device.is_older:
        try:
            return Parcel(build_older(plan.desired.loadbalancers), plan)
        except Invalid as error:
            return Parcel({}, plan, refusal=str(error))
    update = build_update(plan.desired.loadbalancers)
    if plan.desired.nodes is not None:
        update[FIELD] = build_nodes(plan.desired.nodes)
    return Parcel({**update, "hpcs_generation": plan.desired.generation}, plan)


def plan_now(
    unit: UnitOfWork, sealer: Sealer, device_id: str, only: str | None = None
) -> DevicePlan:
    """What the device is to be told, of what is stored at this moment."""
    device = unit.devices.get(device_id)
    trees = unit.loadbalancers.trees_of(device_id)
    generation = device.generation if device else 1
    reports = device is not None and device.reports_health
    return plan_of(unit, sealer, device_id, generation, trees, only, reports=reports)


def plan_of(
    unit: UnitOfWork,
    sealer: Sealer,
    device_id: str,
    generation: int,
    trees: list[LoadBalancerTree],
    only: str | None = None,
    web: Sequence[WebPart] | None = None,
    reports: bool = False,
) -> DevicePlan:
    """As `plan_now`, where the device's load balancers were read in this transaction already; `web` stands in for what
    is stored of its web clusters; `reports` says that it reports the health of nodes.
    """
    moves = unit.moves.find(Query(where={"source": device_id}))
    leaving = {move.loadbalancer_id for move in moves} - {tree.loadbalancer.id for tree in trees}
    if leaving:
        trees = sorted([*trees, *unit.loadbalancers.trees(leaving)], key=_creation)
    applied = unit.loadbalancers.applied([tree.loadbalancer.id for tree in trees])
    materials = load_materials(unit, sealer, [*trees, *applied.values()])
    confirmed = load_confirmed(unit, sealer, applied)
    web = load_parts(unit, sealer, device_id) if web is None else web
    drained = drained_by(unit.nodes.find(_OFFLINE))
    nodes = reported(unit.nodes.board()) if reports else None
    return plan_device(
        trees, applied, generation, only, materials, confirmed, leaving, web, drained, nodes
    )


def _creation(tree: LoadBalancerTree) -> tuple[datetime, str]:
    """The order of a device's load balancers."""
    return tree.loadbalancer.created_at, tree.loadbalancer.id


def expected_digest(plan: DevicePlan) -> str:
    """What a device says that runs it."""
    return digest_of(plan.desired)


def _text(message: JsonObject) -> str:
    """For the record: without secrets, and not longer than a person reads."""
    text = json.dumps(masked(message), default=str)
    return text if len(text) <= MOST_STORED else f"{text[:MOST_STORED]}..."


Send = Callable[[Job], Any]
