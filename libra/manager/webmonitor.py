"""Keeps web clusters as they are to be: decides by `libra.model.webplan`, and writes what follows from it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, assert_never

import structlog

from libra.daemon.loop import Guard, Singly
from libra.manager.settle import MANAGER
from libra.model.device import Device, DeviceState
from libra.model.webcluster import WATCHED, WebCluster, WebClusterNode, WebClusterState
from libra.model.webplan import (
    Finish,
    Pace,
    Phase,
    RollBack,
    Tell,
    WebNode,
    WebPlan,
    WebView,
    plan_web,
)
from libra.storage.base import PLACEMENT, UnitOfWork, hold_devices
from libra.storage.query import Query
from libra.usecases.outbox import add_event, add_update
from libra.usecases.placement import occupy
from libra.usecases.services import Services
from libra.usecases.webclusters.rollback import restore
from libra.usecases.webclusters.snapshots import cluster_lock, nanoseconds, nodes_of

log = structlog.get_logger(__name__)

REFUSALS_END = timedelta(seconds=60)
"""What a node refused is tried again after that time: its cause may be gone."""
_REACHABLE = (DeviceState.SPARE, DeviceState.ASSIGNED, DeviceState.DRAINING)
_TOLD = {
    Phase.RUNNING: "on_webcluster_started",
    Phase.STOPPED: "on_webcluster_stopped",
    Phase.DEGRADED: "on_webcluster_degraded",
    Phase.ERROR: "on_webcluster_failed",
}


class WebMonitor:
    """`turn` is called several times a second, by one thread."""

    def __init__(self, services: Services, pace: Pace, guard: Guard) -> None:
        self._services = services
        self._pace = pace
        self._clusters = Singly(guard)
        self.moving = False
        """Whether a cluster is on its way from node to node."""

    def turn(self, now: datetime) -> None:
        """Look at every cluster that is to be looked after, and do what is next."""

        def watched(unit: UnitOfWork) -> list[WebCluster]:
            return unit.web_clusters.find(Query(where={"status": set(WATCHED)}))

        moving: list[str] = []

        def keep(cluster: WebCluster) -> None:
            if self._keep(cluster, now):
                moving.append(cluster.oid)

        clusters = self._services.storage.look(watched)
        self._clusters.each(clusters, lambda cluster: cluster.oid, keep)
        self.moving = bool(moving)

    def _keep(self, cluster: WebCluster, now: datetime) -> bool:
        """Whether it is on its way."""
        with self._services.storage.reading() as unit:
            view = _view(cluster, _members(unit, cluster.oid))
        if _changes(cluster, plan_web(view, now, self._pace)) or _forgives(view, now):
            self._act(cluster.oid, now)
        return _is_moving(view)

    def _act(self, oid: str, now: datetime) -> None:
        """Decided once more, under the locks: an operator, or an answer, may have come first."""
        with self._services.storage.writing() as unit:
            unit.hold(PLACEMENT)
            hold_devices(unit, *(node.node_oid for node in nodes_of(unit, oid)))
            unit.hold(cluster_lock(oid))
            cluster = unit.web_clusters.get(oid)
            if cluster is None or cluster.status not in WATCHED:
                return
            view = _view(cluster, _members(unit, oid))
            self._forgive(unit, view, cluster, now)
            plan = plan_web(view, now, self._pace)
            for action in plan.actions:
                cluster = self._do(unit, cluster, action)
            self._note(unit, cluster, plan)
        self._services.bell.ring()

    def _do(self, unit: UnitOfWork, cluster: WebCluster, action: Any) -> WebCluster:
        match action:
            case Tell():
                self._tell(unit, cluster, action)
            case Finish():
                cluster = replace(cluster, good_revision=action.revision)
                unit.web_clusters.replace(cluster)
            case RollBack():
                cluster = self._roll_back(unit, cluster, action)
            case _:
                assert_never(action)
        return cluster

    def _tell(self, unit: UnitOfWork, cluster: WebCluster, tell: Tell) -> None:
        node = _node(unit, cluster.oid, tell.oid)
        device = unit.devices.get(tell.oid)
        if node is None or device is None:
            return
        unit.web_nodes.replace(_told(node, tell, self._services.clock()))
        self._send(unit, device)
        if tell.active and tell.promoted_for is not None and not node.active:
            other = unit.devices.get(tell.promoted_for)
            words = f"'{device.name}' stands in for '{other.name if other else tell.promoted_for}'"
            self._event(unit, cluster, "on_webcluster_node_promoted", words)
        elif node.active and not tell.active and tell.revision:
            words = f"'{device.name}' does not serve" if tell.failed else f"'{device.name}'"
            self._event(unit, cluster, "on_webcluster_node_demoted", words)

    def _send(self, unit: UnitOfWork, device: Device) -> None:
        """One that does not answer is told when it does, as of every drift."""
        generation = unit.devices.next_generation(device.id)
        occupy(unit, device.id)
        current = unit.devices.get(device.id)
        if current is not None and _is_reachable(current):
            add_update(unit, self._services, MANAGER, current, generation=generation)

    def _roll_back(self, unit: UnitOfWork, cluster: WebCluster, action: RollBack) -> WebCluster:
        """All at once: what they are told is what they had."""
        restored = restore(unit, self._services, cluster, action.revision, action.reason)
        for node in nodes_of(unit, cluster.oid):
            if node.revision not in (0, action.revision):
                tell = Tell(node.node_oid, action.revision, node.active, node.promoted_for)
                self._tell(unit, restored, tell)
        self._event(unit, cluster, "on_webcluster_rolled_back", action.reason)
        log.warning(
            "a change is taken back",
            action="web cluster",
            cluster=cluster.name,
            error=action.reason,
        )
        return restored

    def _forgive(self, unit: UnitOfWork, view: WebView, cluster: WebCluster, now: datetime) -> None:
        for oid in _forgives(view, now):
            node, device = _node(unit, cluster.oid, oid), unit.devices.get(oid)
            if node is not None and device is not None:
                unit.web_nodes.replace(replace(node, refused="", since=now))
                self._send(unit, device)

    def _note(self, unit: UnitOfWork, cluster: WebCluster, plan: WebPlan) -> None:
        status = WebClusterState(plan.phase.value)
        if (status, plan.reason) == (cluster.status, cluster.reason):
            return
        changed = cluster.changed if status is cluster.status else nanoseconds(self._services)
        unit.web_clusters.replace(
            replace(cluster, status=status, reason=plan.reason, changed=changed)
        )
        if status is not cluster.status and plan.phase in _TOLD:
            self._event(unit, cluster, _TOLD[plan.phase], plan.reason)
        if status is not cluster.status:
            log.info(
                "a web cluster is",
                action="web cluster",
                cluster=cluster.name,
                status=status.value,
                reason=plan.reason,
            )

    def _event(self, unit: UnitOfWork, cluster: WebCluster, kind: str, words: str) -> None:
        reason = f"'{cluster.name}' {words}".rstrip()
        add_event(unit, self._services, MANAGER, kind, cluster.oid, cluster.project_id, reason)


def _told(node: WebClusterNode, tell: Tell, now: datetime) -> WebClusterNode:
    """What it refused of the same definition, it would refuse again: that is forgotten after a while only."""
    keeps = node.refused and tell.revision == node.revision and not tell.active
    return replace(
        node,
        revision=tell.revision,
        active=tell.active,
        promoted_for=tell.promoted_for,
        since=now,
        answers=None,
        good_since=None,
        refused=node.refused if keeps else "",
        trusted=node.answers is True or not node.active,
        failures=node.failures + tell.failed,
    )


def _node(unit: UnitOfWork, cluster_oid: str, device_id: str) -> WebClusterNode | None:
    where = {"cluster_oid": cluster_oid, "node_oid": device_id}
    return next(iter(unit.web_nodes.find(Query(where=where))), None)


Members = list[tuple[WebClusterNode, Device]]


def _members(unit: UnitOfWork, oid: str) -> Members:
    nodes = {node.node_oid: node for node in nodes_of(unit, oid)}
    devices = unit.devices.find(Query(where={"id": set(nodes)})) if nodes else []
    return [(nodes[device.id], device) for device in devices]


def _view(cluster: WebCluster, members: Iterable[tuple[WebClusterNode, Device]]) -> WebView:
    return WebView(
        phase=Phase(cluster.status.value),
        revision=cluster.revision,
        good=cluster.good_revision,
        nodes=tuple(_look(node, device) for node, device in members),
    )


def _is_reachable(device: Device) -> bool:
    return device.state in _REACHABLE and not device.misses


def _look(node: WebClusterNode, device: Device) -> WebNode:
    return WebNode(
        oid=device.id,
        name=device.name,
        standby=bool(node.standby),
        active=node.active and node.revision > 0,
        promoted_for=node.promoted_for,
        revision=node.revision,
        told_at=node.since,
        settled=node.is_settled,
        refused=node.refused,
        reachable=_is_reachable(device),
        leaving=device.retiring or device.state is DeviceState.DRAINING,
        answers=node.answers,
        good_since=node.good_since,
        trusted=node.trusted,
        failures=node.failures,
    )


def _changes(cluster: WebCluster, plan: WebPlan) -> bool:
    noted = (Phase(cluster.status.value), cluster.reason)
    return bool(plan.actions) or noted != (plan.phase, plan.reason)


def _is_moving(view: WebView) -> bool:
    """Whether something is to be seen soon: a node that was told, or that has to show that it serves."""
    waits = any(
        item.reachable and (not item.settled or (item.active and item.answers is None))
        for item in view.nodes
    )
    return waits or view.revision != view.good


def _forgives(view: WebView, now: datetime) -> list[str]:
    return [
        item.oid
        for item in view.nodes
        if item.refused and item.reachable and now - item.told_at >= REFUSALS_END
    ]
