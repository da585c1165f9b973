"""Records as Octavia's clients see them."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from enum import Enum
from functools import cache
from operator import attrgetter
from types import NoneType
from typing import Any, get_args, get_type_hints

from libra.model.counters import ListenerCounters
from libra.model.quota import Quota
from libra.model.resources.l7policy import L7Policy, L7Rule
from libra.model.resources.listener import Listener
from libra.model.resources.loadbalancer import LoadBalancer
from libra.model.resources.member import Member
from libra.model.resources.monitor import HealthMonitor
from libra.model.resources.pool import Pool
from libra.model.resources.resource import Resource
from libra.model.resources.tree import LoadBalancerTree, PoolTree

Shown = dict[str, Any]
ALIKE: Mapping[type[Resource], Shown] = {
    LoadBalancer: {
        "vip_vnic_type": "normal",
        "vip_sg_ids": [],
        "additional_vips": [],
        **dict.fromkeys(("vip_qos_policy_id", "flavor_id")),
    },
    Member: {"vnic_type": "normal"},
}
"""What is the same for all: shown, and good for filters, but never stored."""
_PLAIN = {str, int, bool, NoneType}
SPELLINGS = frozenset(("address_as_given", "monitor_address_as_given"))
_HIDDEN = SPELLINGS | {
    *("device_id", "generation", "reason", "loadbalancer_id", "pool_id", "l7policy_id", "going")
}
_NAMELESS = (L7Rule,)
NULL_WHERE_EMPTY = frozenset(("allowed_cidrs", "tls_versions", "alpn_protocols"))


def plain(name: str, value: Any) -> Any:
    """The value of a field, as answers have it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(timespec="microseconds")
    if isinstance(value, tuple):
        return list(value) if value or name not in NULL_WHERE_EMPTY else None
    return value


def _common(record: Resource) -> Shown:
    names, odd, read = _reading(type(record))  # type: ignore[arg-type]
    shown = dict(zip(names, read(record), strict=True))
    for name in odd:
        shown[name] = plain(name, shown[name])
    shown["tenant_id"] = record.project_id
    return shown


@cache
def _reading(kind: Any) -> tuple[tuple[str, ...], tuple[str, ...], "attrgetter[Any]"]:
    """What is shown of a kind, which of it is not plain as it is, and what reads all of it at once."""
    names = tuple(
        field.name
        for field in fields(kind)
        if field.name not in _HIDDEN and not (field.name == "name" and kind in _NAMELESS)
    )
    hints = get_type_hints(kind)
    odd = tuple(
        name for name in names if not set(get_args(hints[name]) or (hints[name],)) <= _PLAIN
    )
    return names, odd, attrgetter(*names)


def ids(keys: Iterable[str]) -> list[Shown]:
    """As Octavia names parts."""
    return [{"id": key} for key in keys]


def show_loadbalancer(
    record: LoadBalancer, listeners: Iterable[str] = (), pools: Iterable[str] = ()
) -> Shown:
    """With the ids of its parts."""
    shown = _common(record)
    shown["listeners"] = ids(listeners)
    shown["pools"] = ids(pools)
    shown |= ALIKE[LoadBalancer]
    return shown


def show_whole(tree: LoadBalancerTree) -> Shown:
    """As the answer to a create: with everything in full."""
    shown = show_loadbalancer(tree.loadbalancer)
    shown["listeners"] = [_show_listener_whole(item, tree) for item in tree.listeners]
    shown["pools"] = [show_pool_tree(item, tree) for item in tree.pools]
    return shown


def _show_listener_whole(listener: Listener, tree: LoadBalancerTree) -> Shown:
    policies = [item for item in tree.policies if item.policy.listener_id == listener.id]
    shown = show_listener(listener)
    shown["l7policies"] = [
        {**show_policy(item.policy), "rules": [show_rule(rule) for rule in item.rules]}
        for item in sorted(policies, key=lambda item: item.policy.position)
    ]
    return shown


def show_policy(record: L7Policy, rules: Iterable[str] = ()) -> Shown:
    """Its rules by id."""
    return {**_common(record), "rules": ids(rules)}


def show_rule(record: L7Rule) -> Shown:
    """One condition."""
    return _common(record)


def show_listener(record: Listener, policies: Iterable[str] = ()) -> Shown:
    """Its load balancer and its policies by id."""
    shown = _common(record)
    shown["insert_headers"] = dict(record.insert_headers)
    shown["loadbalancers"] = ids([record.loadbalancer_id])
    shown["l7policies"] = ids(policies)
    return shown


def show_pool(
    record: Pool,
    listeners: Iterable[str] = (),
    members: Iterable[str] = (),
    monitor: str | None = None,
) -> Shown:
    """With the ids of what it belongs to and what belongs to it."""
    shown = _common(record)
    tied = record.session_persistence
    shown["session_persistence"] = (
        None
        if tied is None
        else {
            "type": tied.type.value,
            "cookie_name": tied.cookie_name,
            "persistence_timeout": tied.persistence_timeout,
            "persistence_granularity": None,
        }
    )
    shown["loadbalancers"] = ids([record.loadbalancer_id])
    shown["listeners"] = ids(listeners)
    shown["members"] = ids(members)
    shown["healthmonitor_id"] = monitor
    return shown


def show_pool_tree(item: PoolTree, tree: LoadBalancerTree) -> Shown:
    """One of a whole."""
    listeners = [one.id for one in tree.listeners if one.default_pool_id == item.pool.id]
    monitor = item.monitor.id if item.monitor else None
    shown = show_pool(item.pool, listeners, [m.id for m in item.members], monitor)
    shown["members"] = [show_member(member) for member in item.members]
    if item.monitor is not None:
        shown["healthmonitor"] = show_monitor(item.monitor)
    return shown


def show_member(record: Member) -> Shown:
    """One target, its addresses as they were given."""
    shown = _common(record) | ALIKE[Member]
    shown["address"] = _address(record)
    shown["monitor_address"] = record.monitor_address_as_given or record.monitor_address
    return shown


def _address(record: Member) -> str:
    return record.address_as_given or record.address


def show_monitor(record: HealthMonitor) -> Shown:
    """Its pool by id; the fields of a request only where one is made."""
    shown = _common(record)
    if not record.type.is_http:
        shown |= dict.fromkeys(("http_method", "url_path", "expected_codes"))
    version = record.http_version
    shown["http_version"] = float(version) if version is not None else None
    shown["pools"] = ids([record.pool_id])
    return shown


def show_stats(counters: Iterable[ListenerCounters]) -> Shown:
    """Sums."""
    names = ("active_connections", "bytes_in", "bytes_out", "request_errors", "total_connections")
    every = list(counters)
    return {name: sum(getattr(item, name) for item in every) for name in names}


def show_quota(quota: Quota) -> Shown:
    """In both spellings."""
    return {
        "project_id": quota.project_id,
        "tenant_id": quota.project_id,
        "load_balancer": quota.load_balancer,
        "loadbalancer": quota.load_balancer,
        "listener": quota.listener,
        "pool": quota.pool,
        "member": quota.member,
        "health_monitor": quota.health_monitor,
        "healthmonitor": quota.health_monitor,
        "l7policy": quota.l7policy,
        "l7rule": quota.l7rule,
    }


def show_statuses(tree: LoadBalancerTree) -> Shown:
    """The status tree. Octavia leaves pools out that no listener uses; here they are beside the listeners."""
    by_id = {item.pool.id: item for item in tree.pools}
    listeners = []
    used: set[str] = set()
    for listener in tree.listeners:
        named = _pools_of(listener, tree)
        pools = [_pool_status(by_id[key]) for key in named if key in by_id]
        used |= set(named)
        listeners.append({**_brief(listener), "pools": pools, **_policy_status(listener, tree)})
    shown = {**_brief(tree.loadbalancer), "listeners": listeners}
    unused = [_pool_status(item) for key, item in by_id.items() if key not in used]
    return {"loadbalancer": {**shown, "pools": unused} if unused else shown}


def _pools_of(listener: Listener, tree: LoadBalancerTree) -> list[str]:
    """Its default, and those that its policies redirect to, each once."""
    own = (item.policy for item in tree.policies if item.policy.listener_id == listener.id)
    named = [listener.default_pool_id, *(policy.redirect_pool_id for policy in own)]
    return list(dict.fromkeys(key for key in named if key))


def _policy_status(listener: Listener, tree: LoadBalancerTree) -> Shown:
    """Octavia's tree has none; it is here where there are some."""
    own = [item for item in tree.policies if item.policy.listener_id == listener.id]
    shown = [
        {**_brief(item.policy), "rules": [_rule_status(rule) for rule in item.rules]}
        for item in own
    ]
    return {"l7policies": shown} if shown else {}


def _rule_status(rule: L7Rule) -> Shown:
    brief = _brief(rule)
    del brief["name"]
    return {**brief, "type": rule.type.value}


def _pool_status(item: PoolTree) -> Shown:
    shown: Shown = _brief(item.pool)
    shown["members"] = [
        {**_brief(m), "address": _address(m), "protocol_port": m.protocol_port}
        for m in item.members
    ]
    if item.monitor is not None:
        shown["health_monitor"] = {**_brief(item.monitor), "type": item.monitor.type.value}
    return shown


def _brief(record: Resource) -> Shown:
    return {
        "id": record.id,
        "name": record.name,
        "operating_status": record.operating_status.value,
        "provisioning_status": record.provisioning_status.value,
    }


def show_fields(record: Any, names: Iterable[str]) -> Shown:
    """Any record by these of its fields."""
    return {name: plain(name, getattr(record, name)) for name in names}


Parts = Mapping[str, list[str]]
