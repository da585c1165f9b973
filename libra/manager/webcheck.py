"""A change of a web cluster is tried on every node before any has it: by an UPDATE that changes nothing, a dry run."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import structlog

from libra.errors import Invalid, InvalidConfiguration, JobError
from libra.jobs.base import JobClient, Priority
from libra.manager.plan import WebPart
from libra.manager.sender import plan_of
from libra.manager.webparts import build_part, load_parts
from libra.messages.codec import JsonObject, decode, encode
from libra.messages.replies import ERROR, passed
from libra.messages.requests import DRY_RUN
from libra.messages.version2.writer import build_update
from libra.model.device import Device
from libra.model.webcluster import WebClusterNode
from libra.storage.base import UnitOfWork
from libra.usecases.services import Sealer, Services, WebCandidate

log = structlog.get_logger(__name__)

WITHIN_SECONDS = 10.0
MOST_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class _Question:
    device: Device
    message: JsonObject


class WebCheck:
    """Asks the nodes of a candidate, all at the same time. Safe for several threads."""

    def __init__(self, services: Services, client: JobClient) -> None:
        self._services = services
        self._client = client

    def __call__(self, candidate: WebCandidate) -> None:
        """Raises `InvalidConfiguration` with the words of a node that would refuse it.

        One that does not answer holds nobody up: it is asked again when it is told.
        """
        with self._services.storage.reading() as unit:
            questions = list(_build(unit, self._services.sealer, candidate))
        if not questions:
            return
        with ThreadPoolExecutor(min(len(questions), MOST_AT_ONCE), "webcheck") as pool:
            refusals = [words for words in pool.map(self._ask, questions) if words]
        if refusals:
            raise InvalidConfiguration("; ".join(sorted(refusals)))

    def _ask(self, question: _Question) -> str:
        """Why it refuses; empty where it does not, or does not say."""
        name = question.device.name
        try:
            message = encode(question.message)
            answer = self._client.submit(
                name, message, timeout=WITHIN_SECONDS, priority=Priority.HIGH
            )
            reply = decode(answer)
        except (JobError, Invalid) as error:
            log.warning("a node is not asked", action="web cluster", device=name, error=str(error))
            return ""
        return (
            "" if passed(reply) else f"{name} refuses it: {reply.get(ERROR) or 'without a reason'}"
        )


def _build(unit: UnitOfWork, sealer: Sealer, candidate: WebCandidate) -> Iterator[_Question]:
    for node in candidate.nodes:
        device = unit.devices.get(node.node_oid)
        if device is None or device.misses or not device.is_ready:
            continue
        web = [_candidate_part(sealer, candidate, node), *_others(unit, sealer, node)]
        trees = unit.loadbalancers.trees_of(device.id)
        plan = plan_of(unit, sealer, device.id, device.generation, trees, web=web)
        update = build_update(plan.desired.loadbalancers)
        yield _Question(device, {**update, DRY_RUN: True})


def _others(unit: UnitOfWork, sealer: Sealer, node: WebClusterNode) -> list[WebPart]:
    return [part for part in load_parts(unit, sealer, node.node_oid) if part.node_id != node.id]


def _candidate_part(sealer: Sealer, candidate: WebCandidate, node: WebClusterNode) -> WebPart:
    """With a port of no meaning where none is chosen yet."""
    definition = candidate.definition
    if definition.tcp_port is None:
        definition = replace(definition, tcp_port=1)
    return WebPart(node.id, 0, node.active, build_part(sealer, definition, node, node.active))
