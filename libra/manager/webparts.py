"""What devices are sent of web clusters, and what their replies say of that."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from libra.errors import LibraError
from libra.manager.plan import DevicePlan, WebPart
from libra.messages.codec import JsonObject
from libra.messages.replies import passed
from libra.model.device import Device
from libra.model.webcluster import WebClusterNode, revision_key
from libra.model.webcompile import compile_node, listener_id
from libra.model.webdefinition import WebDefinition, read_definition
from libra.storage.base import UnitOfWork
from libra.storage.query import Query
from libra.usecases.services import Sealer

log = structlog.get_logger(__name__)

FORGIVEN_AFTER = timedelta(minutes=10)


def load_parts(unit: UnitOfWork, sealer: Sealer, device_id: str) -> list[WebPart]:
    """Of every cluster that the device is to have, in the order in which it came to be their node."""
    parts = (_load_part(unit, sealer, node) for node in _nodes(unit, device_id))
    return [part for part in parts if part is not None]


def _nodes(unit: UnitOfWork, device_id: str) -> list[WebClusterNode]:
    return unit.web_nodes.find(Query(where={"node_oid": device_id}))


def has_parts(unit: UnitOfWork, device_id: str) -> bool:
    """Whether it is to have something of a web cluster, so that it needs a proxy."""
    return any(node.runs[0] for node in _nodes(unit, device_id))


def _load_part(unit: UnitOfWork, sealer: Sealer, node: WebClusterNode) -> WebPart | None:
    """What cannot be made must not keep everything else from its device."""
    revision, active = node.runs
    if not revision:
        return None
    stored = unit.web_revisions.get(revision_key(node.cluster_oid, revision))
    try:
        if stored is None:
            raise LookupError(f"revision {revision} is not kept")
        definition = read_definition(stored.document)
        return WebPart(node.id, revision, active, build_part(sealer, definition, node, active))
    except (LibraError, LookupError) as error:
        log.error(
            "cannot tell a node", action="web cluster", cluster=node.cluster_oid, error=str(error)
        )
        return None


def build_part(
    sealer: Sealer, definition: WebDefinition, node: WebClusterNode, active: bool
) -> Any:
    """The load balancer that a node gets; raises `Invalid` where the key cannot be opened, and `CannotStart`."""
    sealed = definition.tls.sealed if definition.tls else ""
    key = sealer.unseal(sealed) if sealed else ""
    return compile_node(definition, parallel=node.parallel, active=active, key=key)


def confirm_parts(unit: UnitOfWork, device_id: str, plan: DevicePlan) -> None:
    """The device has what was sent, whatever it is told by now."""
    sent = {part.node_id: (part.revision, part.active) for part in plan.web}
    for node in _nodes(unit, device_id):
        has = sent.get(node.id, (0, False))
        if has != (node.confirmed_revision, node.confirmed_active):
            fields: dict[str, Any] = {"confirmed_revision": has[0], "confirmed_active": has[1]}
            unit.web_nodes.replace(replace(node, **fields))


def refuse_parts(
    unit: UnitOfWork, device_id: str, plan: DevicePlan, reason: str, now: datetime
) -> bool:
    """Give up what was new; whether there was any."""
    sent = {part.node_id: (part.revision, part.active) for part in plan.web}
    new = [
        node
        for node in _nodes(unit, device_id)
        if not node.refused and not node.is_settled and node.runs == sent.get(node.id, (0, False))
    ]
    for node in new:
        unit.web_nodes.replace(replace(node, refused=reason or "it gives no reason", since=now))
    return bool(new)


def hear_nodes(unit: UnitOfWork, device: Device, reply: JsonObject, now: datetime) -> None:
    """Whether its listeners answer, which STATS tells; where it fails, nothing does."""
    nodes = _nodes(unit, device.id)
    if not nodes:
        return
    answers = _answers(reply) if passed(reply) else {}
    for node in nodes:
        answer = answers.get(listener_id(node.cluster_oid))
        if node.confirmed_active and answer is None:
            answer = False
        heard = _heard(node, answer, now)
        if heard != node:
            unit.web_nodes.replace(heard)


def _heard(node: WebClusterNode, answer: bool | None, now: datetime) -> WebClusterNode:
    good = node.is_settled and (not node.confirmed_active or answer is True)
    since = (node.good_since or now) if good else None
    kept = since is not None and node.active and now - since >= FORGIVEN_AFTER
    failures = 0 if kept else node.failures
    return replace(node, answers=answer, good_since=since, failures=failures)


def miss_nodes(unit: UnitOfWork, device: Device) -> None:
    """It says nothing."""
    for node in _nodes(unit, device.id):
        if node.good_since is not None or node.answers is not None:
            unit.web_nodes.replace(replace(node, good_since=None, answers=None))


def _answers(reply: JsonObject) -> dict[str, bool]:
    listed = reply.get("loadbalancers")
    found: dict[str, bool] = {}
    for owner in listed if isinstance(listed, list) else []:
        listeners = owner.get("listeners") if isinstance(owner, dict) else None
        for item in listeners if isinstance(listeners, list) else []:
            if isinstance(item, dict) and isinstance(item.get("answers"), bool):
                found[str(item.get("id"))] = item["answers"]
    return found
