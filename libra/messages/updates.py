"""Writes load balancers as the UPDATE message that reads back as exactly these."""

import json
from dataclasses import replace
from datetime import timedelta

from libra.messages.codec import JsonObject
from libra.model.listener import Listener, Timeouts
from libra.model.loadbalancer import LoadBalancer
from libra.model.pool import HealthMonitor, Member, MonitorType, SessionPersistence
from libra.model.remembered import RememberedByKey

_MILLISECOND = timedelta(milliseconds=1)
_SECOND = timedelta(seconds=1)
_NO_NODES = '"nodes":[]'


def build_update(loadbalancers: tuple[LoadBalancer, ...]) -> JsonObject:
    """Every value is written out, so that the message keeps its meaning where a default changes."""
    return {
        "hpcs_action": "UPDATE",
        "loadbalancers": [_loadbalancer(item) for item in loadbalancers],
    }


class UpdateWriter:
    """`build_update` as JSON; nodes that did not change since the last one are not written again.

    One thread at a time.
    """

    def __init__(self) -> None:
        self._nodes: RememberedByKey[str, Member, str] = RememberedByKey(
            lambda _pool_id: lambda member: _dump(_node(member))
        )

    def write(self, loadbalancers: tuple[LoadBalancer, ...]) -> str:
        """Compact, and ASCII only."""
        text = _dump(build_update(tuple(map(_without_members, loadbalancers))))
        parts = text.split(_NO_NODES)  # no text holds it: there, quotes stand behind a backslash
        for index, loadbalancer in enumerate(loadbalancers):
            pool = loadbalancer.listeners[0].pool
            parts[index] += f'"nodes":[{",".join(self._nodes(pool.id, pool.members))}]'
        self._nodes.sweep()
        return "".join(parts)


def _dump(value: JsonObject) -> str:
    return json.dumps(value, separators=(",", ":"))


def _without_members(loadbalancer: LoadBalancer) -> LoadBalancer:
    (listener,) = loadbalancer.listeners
    bare = replace(listener, pool=replace(listener.pool, members=()))
    return replace(loadbalancer, listeners=(bare,))


def _loadbalancer(loadbalancer: LoadBalancer) -> JsonObject:
    (listener,) = loadbalancer.listeners  # protocol 1.0 knows no others
    return _without_none({"id": loadbalancer.id, "name": loadbalancer.name, **_listener(listener)})


def _listener(listener: Listener) -> JsonObject:
    pool = listener.pool
    return {
        "protocol": listener.protocol.value,
        "port": listener.port,
        "bind_address": listener.bind_address,
        "algorithm": pool.algorithm.value,
        "connection_limit": listener.connection_limit,
        "x_forwarded_for": listener.x_forwarded_for,
        "options": _options(listener.timeouts, listener.connect_retries),
        "monitor": _monitor(pool.monitor) if pool.monitor else None,
        "session_persistence": _persistence(pool.persistence) if pool.persistence else None,
        "nodes": [_node(member) for member in pool.members],
    }


def _options(timeouts: Timeouts, connect_retries: int | None) -> JsonObject:
    given = {"client": timeouts.client, "server": timeouts.server, "connect": timeouts.connect}
    milliseconds = {
        f"{name}_timeout": value // _MILLISECOND for name, value in given.items() if value
    }
    return _without_none({**milliseconds, "connect_retries": connect_retries})


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
    return _without_none({"type": persistence.type.value, "cookie_name": persistence.cookie_name})


def _node(member: Member) -> JsonObject:
    return {
        "id": member.id,
        "address": member.address,
        "port": member.port,
        "weight": member.weight,
        "condition": member.condition.value,
        "backup": member.backup,
    }


def _without_none(fields: JsonObject) -> JsonObject:
    return {name: value for name, value in fields.items() if value is not None}
