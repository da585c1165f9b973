"""A model of load balancers, the random changes that a client makes to them, and what each makes of one. Pure."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.support.control import LBAAS

Json = dict[str, Any]
Target = tuple[str, int]  # address and port

ALGORITHMS = {"ROUND_ROBIN": "roundrobin", "LEAST_CONNECTIONS": "leastconn"}
MOST_MEMBERS, MOST_LISTENERS, HEAVIEST = 5, 3, 8


@dataclass(frozen=True, slots=True)
class Member:
    """One target of the pool."""

    weight: int
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Listener:
    """Where it is listened; `limit` is that of connections."""

    limit: int
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Balancer:
    """A load balancer with one pool. Listeners go by port, members by target."""

    name: str
    protocol: str
    enabled: bool = True
    algorithm: str = "ROUND_ROBIN"
    pool_enabled: bool = True
    monitored: bool = False
    listeners: Mapping[int, Listener] = field(default_factory=dict)
    members: Mapping[Target, Member] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ids:
    """How the API names the parts of one."""

    owner: str
    pool: str
    monitor: str | None
    listeners: Mapping[int, str]
    members: Mapping[Target, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One request, and what the load balancer is after it; None where it is gone."""

    what: str
    method: str
    path: str
    body: Json | None
    after: Balancer | None


@dataclass(slots=True)
class Fresh:
    """Names and ports that nobody had before, and targets: all addresses of `network` (three numbers) at one port."""

    random: random.Random
    network: str
    target_port: int
    count: int = 0

    def number(self) -> int:
        self.count += 1
        return self.count

    def name(self) -> str:
        return f"lb-{self.number()}"

    def port(self) -> int:
        return 9000 + self.number()

    def target(self) -> Target:
        return f"{self.network}.{self.random.randrange(1, 255)}", self.target_port

    def member(self) -> Member:
        return Member(self.random.randrange(HEAVIEST + 1), self.random.random() < 0.8)

    def listener(self) -> Listener:
        return Listener(self.random.randrange(100, 1000))


def plan_creation(fresh: Fresh) -> Change:
    """A whole load balancer in one request."""
    protocol = fresh.random.choice(("HTTP", "TCP"))
    made = Balancer(
        name=fresh.name(),
        protocol=protocol,
        listeners={fresh.port(): fresh.listener()},
        members={fresh.target(): fresh.member() for _ in range(fresh.random.randrange(3))},
    )
    pool = {
        "name": "p",
        "protocol": protocol,
        "lb_algorithm": made.algorithm,
        "members": [_write_member(*item) for item in made.members.items()],
    }
    listeners = [
        {**_write_listener(made, *item), "default_pool": pool} for item in made.listeners.items()
    ]
    body = {"name": made.name, "vip_subnet_id": "default", "listeners": listeners}
    return Change("create", "POST", f"{LBAAS}/loadbalancers", {"loadbalancer": body}, made)


def plan_change(fresh: Fresh, before: Balancer, ids: Ids) -> Change:
    """Any that this one allows, but its end."""
    while True:
        change = fresh.random.choice(KINDS)(fresh, before, ids)
        if change is not None:
            return change


def plan_end(ids: Ids) -> Change:
    """With all its parts."""
    path = f"{LBAAS}/loadbalancers/{ids.owner}?cascade=true"
    return Change("delete", "DELETE", path, None, None)


def _rename(fresh: Fresh, before: Balancer, ids: Ids) -> Change:
    after = replace(before, name=fresh.name())
    return _put("rename", "loadbalancers", ids.owner, {"name": after.name}, after)


def _switch(_: Fresh, before: Balancer, ids: Ids) -> Change:
    after = replace(before, enabled=not before.enabled)
    body = {"admin_state_up": after.enabled}
    return _put("switch", "loadbalancers", ids.owner, body, after)


def _switch_pool(_: Fresh, before: Balancer, ids: Ids) -> Change:
    after = replace(before, pool_enabled=not before.pool_enabled)
    body = {"admin_state_up": after.pool_enabled}
    return _put("switch the pool", "pools", ids.pool, body, after)


def _balance(_: Fresh, before: Balancer, ids: Ids) -> Change:
    (other,) = set(ALGORITHMS) - {before.algorithm}
    after = replace(before, algorithm=other)
    return _put("balance", "pools", ids.pool, {"lb_algorithm": other}, after)


def _monitor(_: Fresh, before: Balancer, ids: Ids) -> Change:
    after = replace(before, monitored=not before.monitored)
    if ids.monitor is not None:
        path = f"{LBAAS}/healthmonitors/{ids.monitor}"
        return Change("end the monitor", "DELETE", path, None, after)
    body = {"pool_id": ids.pool, "type": "TCP", "delay": 2, "timeout": 1, "max_retries": 3}
    return _post("monitor", "healthmonitors", body, after)


def _listen(fresh: Fresh, before: Balancer, ids: Ids) -> Change | None:
    if len(before.listeners) == MOST_LISTENERS:
        return None
    port, listener = fresh.port(), fresh.listener()
    body = _write_listener(before, port, listener)
    body |= {"loadbalancer_id": ids.owner, "default_pool_id": ids.pool}
    return _post("listen", "listeners", body, _with_listener(before, port, listener))


def _change_listener(fresh: Fresh, before: Balancer, ids: Ids) -> Change:
    port = fresh.random.choice(sorted(before.listeners))
    listener = replace(fresh.listener(), enabled=fresh.random.random() < 0.7)
    body = {"connection_limit": listener.limit, "admin_state_up": listener.enabled}
    after = _with_listener(before, port, listener)
    return _put("change a listener", "listeners", ids.listeners[port], body, after)


def _stop_listening(fresh: Fresh, before: Balancer, ids: Ids) -> Change | None:
    """But for the last one: its pool would be on no device."""
    if len(before.listeners) < 2:
        return None
    port = fresh.random.choice(sorted(before.listeners))
    left = {key: item for key, item in before.listeners.items() if key != port}
    path = f"{LBAAS}/listeners/{ids.listeners[port]}"
    return Change("stop listening", "DELETE", path, None, replace(before, listeners=left))


def _add_member(fresh: Fresh, before: Balancer, ids: Ids) -> Change | None:
    target, member = fresh.target(), fresh.member()
    if target in before.members or len(before.members) == MOST_MEMBERS:
        return None
    after = replace(before, members={**before.members, target: member})
    body = {"member": _write_member(target, member)}
    return Change("add a member", "POST", f"{LBAAS}/pools/{ids.pool}/members", body, after)


def _change_member(fresh: Fresh, before: Balancer, ids: Ids) -> Change | None:
    if not before.members:
        return None
    target, member = fresh.random.choice(sorted(before.members)), fresh.member()
    after = replace(before, members={**before.members, target: member})
    body = {"member": {"weight": member.weight, "admin_state_up": member.enabled}}
    path = f"{LBAAS}/pools/{ids.pool}/members/{ids.members[target]}"
    return Change("change a member", "PUT", path, body, after)


def _drop_member(fresh: Fresh, before: Balancer, ids: Ids) -> Change | None:
    if not before.members:
        return None
    target = fresh.random.choice(sorted(before.members))
    left = {key: item for key, item in before.members.items() if key != target}
    path = f"{LBAAS}/pools/{ids.pool}/members/{ids.members[target]}"
    return Change("drop a member", "DELETE", path, None, replace(before, members=left))


def _replace_members(fresh: Fresh, before: Balancer, ids: Ids) -> Change:
    """Some stay, some change, some are new."""
    kept = {key: item for key, item in before.members.items() if fresh.random.random() < 0.6}
    fresh_ones = fresh.random.randrange(MOST_MEMBERS - len(kept) + 1)
    wanted = {**kept, **{fresh.target(): fresh.member() for _ in range(fresh_ones)}}
    body = {"members": [_write_member(*item) for item in wanted.items()]}
    after = replace(before, members=wanted)
    return Change("replace members", "PUT", f"{LBAAS}/pools/{ids.pool}/members", body, after)


Kind = Callable[[Fresh, Balancer, Ids], Change | None]
KINDS: tuple[Kind, ...] = (
    _rename,
    _switch,
    _switch_pool,
    _balance,
    _monitor,
    _listen,
    _change_listener,
    _stop_listening,
    _add_member,
    _add_member,
    _change_member,
    _change_member,
    _drop_member,
    _replace_members,
    _replace_members,
)


def _write_member(target: Target, member: Member) -> Json:
    address, port = target
    shown = {"address": address, "protocol_port": port, "weight": member.weight}
    return {**shown, "admin_state_up": member.enabled}


def _write_listener(owner: Balancer, port: int, listener: Listener) -> Json:
    given = {"protocol": owner.protocol, "protocol_port": port}
    return {**given, "connection_limit": listener.limit, "admin_state_up": listener.enabled}


def _with_listener(before: Balancer, port: int, listener: Listener) -> Balancer:
    return replace(before, listeners={**before.listeners, port: listener})


def _put(what: str, kind: str, key: str, body: Json, after: Balancer) -> Change:
    return Change(what, "PUT", f"{LBAAS}/{kind}/{key}", {kind.removesuffix("s"): body}, after)


def _post(what: str, kind: str, body: Json, after: Balancer) -> Change:
    return Change(what, "POST", f"{LBAAS}/{kind}", {kind.removesuffix("s"): body}, after)
