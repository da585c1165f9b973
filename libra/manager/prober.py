"""Looks at devices: whether they answer, what they run, how everything on them does."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from libra.errors import (
    Invalid,
    JobError,
    JobServerSilent,
    JobServerUnavailable,
    StorageUnavailable,
)
from libra.jobs.base import JobClient
from libra.manager.plan import DevicePlan
from libra.manager.question import Question, store_probes
from libra.manager.sender import expected_digest, plan_of
from libra.manager.settle import MANAGER, see_device, write_all
from libra.manager.statuses import measure
from libra.manager.webparts import has_parts, hear_nodes, miss_nodes
from libra.messages.codec import JsonObject
from libra.messages.older import runs_older, widen_statistics
from libra.messages.replies import ERROR, passed
from libra.model.device import Device, DeviceState
from libra.model.job import OPEN, Job, JobAction, JobPriority
from libra.model.resources.loadbalancer import LoadBalancer
from libra.model.resources.tree import LoadBalancerTree
from libra.model.status import ProvisioningStatus
from libra.model.translate import translate
from libra.storage.base import UnitOfWork, device_lock
from libra.usecases.outbox import add_event, add_update
from libra.usecases.services import Services

log = structlog.get_logger(__name__)

DISCOVER_EVERY = 30  # probes; a worker may be replaced between two of them
MISSES = 3  # probes without an answer, until a device counts as lost
BUILD_TIME = timedelta(seconds=60)  # a new one may take that long until it answers
LEAST_SECONDS = 1.0
Trees = list[LoadBalancerTree]
STORING = 3
_OWING = (DeviceState.ERROR, DeviceState.DRAINING)
FAULTS = 2  # probes that say that its proxy does not run, until it counts as faulty


class Prober:
    """`probe` is called by several threads, for one device by one at a time."""

    def __init__(self, services: Services, client: JobClient, deadline_seconds: float) -> None:
        self._services = services
        self._client = client
        self._deadline = deadline_seconds
        self._asked: dict[str, int] = {}
        # What is asked waits for devices, what is stored for the processor: more threads at that only get in each
        # other's way (1,000 probes on PostgreSQL took 11.6 s by 64, 8 s by 3).
        self._storing = threading.BoundedSemaphore(STORING)

    def probe(self, device: Device, within: float) -> None:
        """`within` seconds the next one is due, and this one had better be answered. Never raises."""
        try:
            self._probe(device, min(self._deadline, max(LEAST_SECONDS, within)))
        except StorageUnavailable as error:
            log.warning("cannot store what a device says", action="probe", error=str(error))
        except Exception:
            log.exception("internal error", action="probe", device=device.name)

    def _probe(self, device: Device, seconds: float) -> None:
        question = Question(self._services, self._client, device, seconds)
        try:
            known = _discover(question, device) if self._is_stranger(device) else device
            reply = question.ask(JobAction.STATS)
        except (JobServerUnavailable, JobServerSilent):
            # Of the device that says nothing: it is we who reach no job server.
            self._store(question.records)
            return
        except (JobError, Invalid) as error:
            self._miss(device, str(error), question.records)
            return
        with self._storing, self._services.storage.writing() as unit:
            unit.hold(device_lock(device.id))
            store_probes(unit, question.records)
            trees = unit.loadbalancers.trees_of(device.id)
            hear_nodes(unit, device, reply, self._services.clock())
            if passed(reply):
                current = self._take_in(unit, known, trees, reply)
            else:
                reason = str(reply.get(ERROR) or "STATS failed")
                current = self._report(unit, known, trees, reason)
            if current is not None:
                self._converge(unit, known, current, trees, reply)

    def _is_stranger(self, device: Device) -> bool:
        """Also one that was away: it may have come back with another release."""
        if device.protocol and device.is_ready and not device.misses:
            self._asked[device.id] = asked = self._asked.get(device.id, 0) + 1
            if asked % DISCOVER_EVERY:
                return False
        return True

    def _store(self, records: list[Job]) -> None:
        with self._services.storage.writing() as unit:
            store_probes(unit, records)

    def _miss(self, device: Device, reason: str, records: list[Job]) -> None:
        with self._services.storage.writing() as unit:
            unit.hold(device_lock(device.id))
            store_probes(unit, records)
            miss_nodes(unit, device)
            self._count_miss(unit, device, MISSES, reason)
        self._services.bell.ring()  # somebody may have to stand in for it

    def _count_miss(
        self, unit: UnitOfWork, device: Device, allowed: int, reason: str, **fields: Any
    ) -> Device | None:
        """One more; with as many as are allowed it is in ERROR."""
        current = unit.devices.get(device.id)
        if current is None or current.state is not device.state:
            return current
        misses, now = current.misses + 1, self._services.clock()
        since = current.failing_since or now
        lost = misses >= allowed and current.state is not DeviceState.DRAINING
        if current.state is DeviceState.BUILDING:
            lost = lost and now - since >= BUILD_TIME
        return see_device(
            unit,
            self._services,
            device,
            DeviceState.ERROR if lost else current.state,
            misses=misses,
            failing_since=since,
            reason=reason if misses >= allowed else current.reason,
            **fields,
        )

    def _report(self, unit: UnitOfWork, device: Device, trees: Trees, reason: str) -> Device | None:
        """It answers, and its proxy does not. A device that runs nothing yet has no proxy to ask.

        One that has not let go yet of what it had may only not have started it yet.
        """
        if trees or has_parts(unit, device.id):
            return self._count_miss(unit, device, FAULTS, reason, **self._told(device))
        settled = device.acknowledged >= device.generation
        return self._see_well(unit, device, trees, runs_nothing=settled)

    def _take_in(
        self, unit: UnitOfWork, device: Device, trees: Trees, reply: JsonObject
    ) -> Device | None:
        device = replace(device, reports_health=reply.get("health_reporter") is True)
        current = self._see_well(unit, device, trees, runs_nothing=_runs_nothing(reply))
        entries = (
            widen_statistics(reply, list(map(translate, trees)))
            if device.is_older
            else _entries(reply)
        )
        for tree in trees:
            entry = entries.get(tree.loadbalancer.id)
            if entry is not None:
                measured = measure(tree, entry)
                unit.counters.record(device.id, measured.counters)
                if not _is_outdated(reply, device, tree.loadbalancer):
                    write_all(unit, measured.changed)
        return current

    def _see_well(
        self, unit: UnitOfWork, device: Device, trees: Trees, *, runs_nothing: bool
    ) -> Device | None:
        """One that was away and has nothing to do is not used before it has let go of what it had."""
        state, reason = device.state, ""
        if trees or unit.web_nodes.count({"node_oid": device.id}):
            state = DeviceState.ASSIGNED
        elif device.is_ready or runs_nothing:
            state = DeviceState.SPARE
        else:
            reason = "it still has what was moved away from it"
        if device.state is DeviceState.DRAINING:
            state, reason = device.state, ""
        return see_device(
            unit,
            self._services,
            device,
            state,
            misses=0,
            failing_since=None,
            reason=reason,
            **self._told(device),
        )

    def _told(self, device: Device) -> dict[str, Any]:
        return {
            "last_seen": self._services.clock(),
            "protocol": device.protocol,
            "release": device.release,
            "proxy": device.proxy,
            "reports_health": device.reports_health,
        }

    def _converge(
        self, unit: UnitOfWork, device: Device, current: Device, trees: Trees, reply: JsonObject
    ) -> None:
        """A device that runs something else than it shall is told again, unless it is about to be told anyway."""
        waiting = {"device_id": device.id, "action": JobAction.UPDATE, "state": list(OPEN)}
        if _has_moved(device, current) or unit.jobs.count(waiting):
            return
        ahead = reply.get("generation")
        if isinstance(ahead, int) and ahead > current.generation:
            current = replace(current, generation=ahead + 1)
            unit.devices.replace(current)
        plan = plan_of(
            unit,
            self._services.sealer,
            device.id,
            current.generation,
            trees,
            reports=current.reports_health,
        )
        # What waits for that: its use, and its end, where it was known before, forgotten, and added anew.
        owes = current.state in _OWING and current.acknowledged < current.generation
        if plan.pending or (_runs_it(device, reply, plan) and not owes):
            return
        add_update(
            unit,
            self._services,
            MANAGER,
            current,
            generation=current.generation,
            priority=JobPriority.LOW,
        )
        add_event(
            unit,
            self._services,
            MANAGER,
            "device.drift",
            device.id,
            reason="it runs something else",
        )


def _discover(question: Question, device: Device) -> Device:
    reply = question.ask(JobAction.DISCOVER)
    listed = reply.get("versions")
    versions = [str(item) for item in listed] if isinstance(listed, list) else []
    proxy = f"{reply.get('proxy') or ''} {reply.get('proxy_version') or ''}".strip()
    return replace(
        device,
        protocol=max(versions, default=str(reply.get("version", "1.0"))),
        release=str(reply.get("release", "")),
        reports_health=reply.get("health_reporter") is True,
        proxy=proxy,
    )


def _is_outdated(reply: JsonObject, device: Device, owner: LoadBalancer) -> bool:
    """It was changed since the device looked: a listener that is switched on by now is closed there, and no error.

    One that its device refuses stays behind for as long, and is measured as it is.
    """
    if owner.provisioning_status is ProvisioningStatus.ERROR:
        return False
    told = reply.get("generation")
    return owner.generation > (told if isinstance(told, int) else device.acknowledged)


def _has_moved(before: Device, now: Device) -> bool:
    """Something was asked of it or settled since; whatever it said was perhaps before that."""
    return (before.generation, before.acknowledged) != (now.generation, now.acknowledged)


def _runs_it(device: Device, reply: JsonObject, plan: DevicePlan) -> bool:
    loadbalancers = plan.desired.loadbalancers
    if device.is_older:
        return runs_older(reply, loadbalancers)
    return _runs(reply, expected_digest(plan), empty=not loadbalancers)


def _runs(reply: JsonObject, expected: str, *, empty: bool) -> bool:
    """One that was never told anything says no digest, and runs nothing."""
    digest = reply.get("digest")
    if digest is None:
        return empty and not reply.get("loadbalancers")
    return bool(digest == expected)


def _runs_nothing(reply: JsonObject) -> bool:
    return not reply.get("loadbalancers")


def _entries(reply: JsonObject) -> Mapping[str, Mapping[str, Any]]:
    listed = reply.get("loadbalancers")
    return {
        str(item.get("id")): item
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, dict)
    }
