"""Writes load balancers as the UPDATE message that reads back as exactly these."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from libra.messages.codec import JsonObject
from libra.messages.version2 import writer as version2
from libra.messages.version2.nodes import FIELD, build_nodes
from libra.messages.written import build_node, build_options, without_none
from libra.model.listener import Listener
from libra.model.loadbalancer import LoadBalancer
from libra.model.nodestatus import ReportedNode
from libra.model.pool import HealthMonitor, Member, MonitorType, Pool, SessionPersistence
from libra.model.remembered import ByIdentity, RememberedByKey
from libra.model.webservice import ReverseProxy, WebService

_SECOND = timedelta(seconds=1)
_NO_NODES = '"nodes":[]'
_END = "]}"


def build_update(loadbalancers: tuple[LoadBalancer, ...]) -> JsonObject:
    """Every value is written out, so that the message keeps its meaning where a default changes."""
    return {
        "hpcs_action": "UPDATE",
        "loadbalancers": [build_loadbalancer(item) for item in loadbalancers],
    }


class UpdateWriter:
    """An UPDATE as JSON, of that version; what did not change since the last one is not written again.

    One thread at a time.
    """

    def __init__(self) -> None:
        self._nodes: RememberedByKey[str, Member, str] = RememberedByKey(
            lambda _pool_id: lambda member: _dump(build_node(member))
        )
        self._known: ByIdentity[LoadBalancer, str] = ByIdentity()
        self._version = ""

    def write(
        self,
        loadbalancers: tuple[LoadBalancer, ...],
        version: str = "1.0",
        nodes: Sequence[ReportedNode] | None = None,
    ) -> str:
        """Compact, and ASCII only. Only messages of 2.0 tell of `nodes`."""
        if version != self._version:
            self._known, self._version = ByIdentity(), version
        texts = [self._known.get(item) or self._write_one(item) for item in loadbalancers]
        self._known.replace(loadbalancers, texts)
        for pool in (pool for item in loadbalancers for pool in item.pools):
            self._nodes.keep(pool.id)
        self._nodes.sweep()
        build = build_update if version == "1.0" else version2.build_update
        text = f"{_dump(build(())).removesuffix(_END)}{','.join(texts)}{_END}"
        return text if nodes is None else f'{text[:-1]},"{FIELD}":{_dump(build_nodes(nodes))}}}'

    def _write_one(self, loadbalancer: LoadBalancer) -> str:
        first = self._version == "1.0"
        build = build_loadbalancer if first else version2.build_loadbalancer
        # No text holds what is looked for: there, quotes stand behind a backslash.
        parts = _dump(build(_without_members(loadbalancer))).split(_NO_NODES)
        for index, pool in enumerate(loadbalancer.pools):
            parts[index] += f'"nodes":[{",".join(self._nodes(pool.id, pool.members))}]'
        return "".join(parts)


def _dump(value: JsonObject) -> str:
    return json.dumps(value, separators=(",", ":"))


def _without_members(loadbalancer: LoadBalancer) -> LoadBalancer:
    return replace(loadbalancer, listeners=tuple(map(_bare, loadbalancer.listeners)))


def _bare(listener: Listener) -> Listener:
    pool, services = listener.pool, listener.services
    return replace(
        listener,
        pool=_empty(pool),
        policies=tuple(replace(item, pool=_empty(item.pool)) for item in listener.policies),
        services=services if services is None else tuple(map(_bare_service, services)),
    )


def _empty(pool: Pool | None) -> Pool | None:
    return replace(pool, members=()) if pool is not None else None


def _bare_service(service: WebService) -> WebService:
    if isinstance(service, ReverseProxy):
        return replace(service, pool=replace(service.pool, members=()))
    return service


def build_loadbalancer(loadbalancer: LoadBalancer) -> JsonObject:
    """One of `loadbalancers`."""
    (listener,) = loadbalancer.listeners  # protocol 1.0 knows no others
    return without_none({"id": loadbalancer.id, "name": loadbalancer.name, **_listener(listener)})


def _listener(listener: Listener) -> JsonObject:
    pool = listener.pool
    assert pool is not None  # nor does it know listeners without one
    return {
        "protocol": listener.protocol.value,
        "port": listener.port,
        "bind_address": listener.bind_address,
        "algorithm": pool.algorithm.value,
        "connection_limit": listener.connection_limit,
        "x_forwarded_for": listener.x_forwarded_for,
        "options": build_options(listener.timeouts, listener.connect_retries),
        "monitor": _monitor(pool.monitor) if pool.monitor else None,
        "session_persistence": _persistence(pool.persistence) if pool.persistence else None,
        "nodes": [build_node(member) for member in pool.members],
    }


def _monitor(monitor: HealthMonitor) -> JsonObject:
    fields: JsonObject = {
        "type": monitor.type.value,
        "delay": monitor.delay // _SECOND,
        "timeout": monitor.timeout // _SECOND,
        "attempts": monitor.attempts,
    }
    if monitor.type is MonitorType.HTTP:
        fields["path"] = monitor.path
        fields["expected_codes"] = [f"{first}-{last}" for first, last in monitor.expected_codes]
    return fields


def _persistence(persistence: SessionPersistence) -> JsonObject:
    return without_none({"type": persistence.type.value, "cookie_name": persistence.cookie_name})
