"""From a load balancer's records to what its device is told. Pure."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from libra.model import listener as device_side
from libra.model.listener import Protocol, Timeouts, ToldHeader
from libra.model.loadbalancer import LoadBalancer
from libra.model.materials import (
    NO_MATERIALS,
    Materials,
    is_complete,
    is_pool_complete,
    translate_hsts,
    translate_member_tls,
    translate_tls,
)
from libra.model.policy import Policy, Rule
from libra.model.pool import (
    Algorithm,
    Condition,
    HealthMonitor,
    Member,
    MonitorType,
    PersistenceType,
    Pool,
    PoolProtocol,
    SessionPersistence,
)
from libra.model.resources import member, monitor, pool
from libra.model.resources.listener import Listener, ListenerProtocol
from libra.model.resources.monitor import HealthMonitorType
from libra.model.resources.tree import LoadBalancerTree, PolicyTree, PoolTree
from libra.model.webservice import Metrics

FORWARDED_FOR = "X-Forwarded-For"
_TYPES = {
    HealthMonitorType.HTTP: MonitorType.HTTP,
    HealthMonitorType.HTTPS: MonitorType.HTTPS,
    HealthMonitorType.TCP: MonitorType.CONNECT,
    HealthMonitorType.PING: MonitorType.PING,
    HealthMonitorType.TLS_HELLO: MonitorType.TLS_HELLO,
}
_CODES = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")


def without_deleted(tree: LoadBalancerTree) -> LoadBalancerTree:
    """What is left once everything that is being deleted is gone."""
    pools = tuple(
        replace(
            item,
            members=tuple(member for member in item.members if not member.going),
            monitor=None if item.monitor is None or item.monitor.going else item.monitor,
        )
        for item in tree.pools
        if not item.pool.going
    )
    kept = {item.pool.id for item in pools}
    listeners = tuple(
        replace(
            item, default_pool_id=item.default_pool_id if item.default_pool_id in kept else None
        )
        for item in tree.listeners
        if not item.going
    )
    policies = tuple(_left_of_policies(tree, kept, {item.id for item in listeners}))
    return replace(tree, listeners=listeners, pools=pools, policies=policies)


def _left_of_policies(
    tree: LoadBalancerTree, pools: Collection[str], listeners: Collection[str]
) -> Iterator[PolicyTree]:
    for item in tree.policies:
        target = item.policy.redirect_pool_id
        if item.policy.going or item.policy.listener_id not in listeners:
            continue
        if target is None or target in pools:
            yield replace(item, rules=tuple(rule for rule in item.rules if not rule.going))


def translate(tree: LoadBalancerTree, materials: Materials = NO_MATERIALS) -> LoadBalancer:
    """What the device shall run of it. `materials` are what its listeners refer to, by id."""
    left = without_deleted(tree)
    pools = {item.pool.id: _pool(item, materials) for item in left.pools}
    policies = sorted(left.policies, key=lambda item: item.policy.position)
    owner = left.loadbalancer
    return LoadBalancer(
        id=owner.id,
        name=owner.name.strip() or None,
        enabled=owner.admin_state_up,
        address=owner.vip_address or None,
        listeners=tuple(
            replace(_listener(item, pools, materials), policies=_policies(item, policies, pools))
            for item in left.listeners
            if is_complete(item, materials)
        ),
    )


def _listener(
    listener: Listener, pools: dict[str, Pool], materials: Materials
) -> device_side.Listener:
    headers = {name for name, value in listener.insert_headers if value.lower() == "true"}
    reports = listener.protocol is ListenerProtocol.PROMETHEUS
    return device_side.Listener(
        id=listener.id,
        name=listener.name.strip() or None,
        enabled=listener.admin_state_up,
        protocol=Protocol.HTTP if listener.protocol.is_http or reports else Protocol.TCP,
        port=listener.protocol_port,
        pool=pools.get(listener.default_pool_id or ""),
        connection_limit=listener.connection_limit if listener.connection_limit > 0 else None,
        x_forwarded_for=FORWARDED_FOR in headers,
        headers=tuple(item for item in ToldHeader if item.value in headers),
        timeouts=Timeouts(
            client=_milliseconds(listener.timeout_client_data),
            server=_milliseconds(listener.timeout_member_data),
            connect=_milliseconds(listener.timeout_member_connect),
            inspect=_milliseconds(listener.timeout_tcp_inspect),
        ),
        allowed_cidrs=tuple(sorted(set(listener.allowed_cidrs))),
        hsts=translate_hsts(listener),
        tls=translate_tls(listener, materials),
        services=(Metrics(),) if reports else None,
    )


def _policies(
    listener: Listener, trees: Sequence[PolicyTree], pools: dict[str, Pool]
) -> tuple[Policy, ...]:
    """Those of the listener that can fit a request."""
    found = (item for item in trees if item.policy.listener_id == listener.id)
    built = (_policy(item, pools) for item in found if item.policy.admin_state_up)
    return tuple(item for item in built if item.rules)


def _policy(tree: PolicyTree, pools: dict[str, Pool]) -> Policy:
    owner = tree.policy
    return Policy(
        id=owner.id,
        action=owner.action,
        rules=tuple(
            Rule(
                type=item.type,
                comparison=item.compare_type,
                value=item.value,
                key=item.key,
                invert=item.invert,
            )
            for item in tree.rules
            if item.admin_state_up
        ),
        pool=pools.get(owner.redirect_pool_id or ""),
        url=owner.redirect_url or owner.redirect_prefix,
        code=owner.redirect_http_code,
    )


def _milliseconds(value: int) -> timedelta | None:
    return timedelta(milliseconds=value) if value > 0 else None


def _pool(tree: PoolTree, materials: Materials) -> Pool:
    owner = tree.pool
    is_complete = is_pool_complete(owner, materials)
    return Pool(
        id=owner.id,
        name=owner.name.strip() or None,
        enabled=owner.admin_state_up and is_complete,
        protocol=PoolProtocol(owner.protocol.value),
        members=tuple(_member(item) for item in tree.members),
        algorithm=Algorithm(owner.lb_algorithm.value),
        monitor=_monitor(tree.monitor) if tree.monitor and tree.monitor.admin_state_up else None,
        persistence=_persistence(owner.session_persistence),
        tls=translate_member_tls(owner, materials) if is_complete else None,
    )


def _persistence(given: pool.PoolPersistence | None) -> SessionPersistence | None:
    if given is None:
        return None
    minutes = given.persistence_timeout
    return SessionPersistence(
        type=PersistenceType(given.type.value),
        cookie_name=given.cookie_name,
        timeout=timedelta(minutes=minutes) if minutes else None,
    )


def _member(given: member.Member) -> Member:
    return Member(
        id=given.id,
        address=given.address,
        port=given.protocol_port,
        weight=given.weight,
        condition=Condition.ENABLED if given.admin_state_up else Condition.DISABLED,
        backup=given.backup,
        monitor_address=given.monitor_address,
        monitor_port=given.monitor_port,
    )


def _monitor(given: monitor.HealthMonitor) -> HealthMonitor:
    checked = HealthMonitor(
        type=_TYPES[given.type],
        delay=timedelta(seconds=max(1, given.delay)),
        timeout=timedelta(seconds=max(1, given.timeout)),
        attempts=given.max_retries,
        attempts_down=given.max_retries_down,
    )
    if not given.type.is_http:
        return checked
    return replace(
        checked,
        path=given.url_path,
        expected_codes=parse_codes(given.expected_codes),
        method=given.http_method,
        http_version=given.http_version,
        host=given.domain_name,
    )


def parse_codes(text: str) -> tuple[tuple[int, int], ...]:
    """ "200,202" or "200-204" as sorted ranges that do not touch."""
    found = [match for match in map(_CODES.fullmatch, re.split(r"\s*,\s*", text.strip())) if match]
    ranges = sorted((int(match[1]), int(match[2] or match[1])) for match in found)
    return _merge(ranges) or ((200, 200),)


def _merge(ranges: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for first, last in ranges:
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)
