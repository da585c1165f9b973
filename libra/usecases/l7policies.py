"""L7 policies of listeners."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from libra.errors import Conflict, Invalid, NotFound
from libra.model.access import Caller
from libra.model.policy import PolicyAction
from libra.model.resources.l7policy import L7Policy
from libra.model.resources.listener import Listener
from libra.model.status import ProvisioningStatus
from libra.storage.base import UnitOfWork
from libra.storage.query import Query
from libra.usecases.access import ensure_may_see
from libra.usecases.change import Change
from libra.usecases.fitting import ensure_pair, ensure_policies, ensure_requests, ensure_sharing
from libra.usecases.listeners import show as show_listener
from libra.usecases.quotas import ensure_room
from libra.usecases.senders import senders_of
from libra.usecases.services import Services, new_id

Fields = Mapping[str, Any]
LAST = 2**31 - 1
_TARGETS = {
    PolicyAction.REDIRECT_TO_POOL: "redirect_pool_id",
    PolicyAction.REDIRECT_TO_URL: "redirect_url",
    PolicyAction.REDIRECT_PREFIX: "redirect_prefix",
}
_CODE = "redirect_http_code"
DEFAULT_CODE = 302


def create(
    services: Services,
    caller: Caller,
    listener_id: str,
    fields: Fields,
    rules: Sequence[Fields] = (),
) -> L7Policy:
    """At its `position`, or behind the others; `rules` are created with it."""
    from libra.usecases.l7rules import add_rule

    before = show_listener(services, caller, listener_id)
    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        owner = change.lock(before.loadbalancer_id)
        listener = change.listener(listener_id)
        ensure_room(unit, services, owner.project_id, l7policy=1, l7rule=len(rules))
        policy = add_policy(change, listener, fields)
        for given in rules:
            add_rule(change, policy, given)
        change.touch_listener(listener)
        change.send(owner, f"L7 policy {policy.id} created")
    services.bell.ring()
    return policy


def add_policy(change: Change, listener: Listener, fields: Fields) -> L7Policy:
    """In a change of its load balancer."""
    ensure_requests(listener)
    unit = change.unit
    others = _live(unit, listener.id)
    ensure_policies(unit.l7policies.count({"listener_id": listener.id}) + 1)
    given = {"position": LAST, **fields}
    policy = L7Policy(
        id=new_id(),
        project_id=listener.project_id,
        loadbalancer_id=listener.loadbalancer_id,
        listener_id=listener.id,
        created_at=change.moment(),
        **{**given, **_target(given, given["action"], fields)},
    )
    _ensure_pool(change, listener, policy)
    placed = _at_place(others, policy)
    unit.l7policies.add(placed)
    _renumber(unit, others, placed)
    return placed


def _target(after: Fields, action: PolicyAction, given: Fields) -> dict[str, Any]:
    """What the action needs, and nothing of the others; raises `Invalid`. `given` is what the client has said."""
    needed = _TARGETS.get(action)
    names = (*_TARGETS.values(), *(() if action.is_elsewhere else (_CODE,)))
    for name in names:
        if name != needed and given.get(name) not in (None, ""):
            raise Invalid(f"Validation failure: {name} does not go with the action {action.value}")
    chosen: dict[str, Any] = dict.fromkeys((*_TARGETS.values(), _CODE))
    if needed is not None:
        chosen[needed] = after.get(needed)
        if not chosen[needed]:
            raise Invalid(f"Validation failure: the action {action.value} requires {needed}")
    if action.is_elsewhere:
        chosen[_CODE] = after.get(_CODE) or DEFAULT_CODE
    return chosen


def _ensure_pool(change: Change, listener: Listener, policy: L7Policy) -> None:
    if policy.redirect_pool_id is None:
        return
    pool = change.unit.pools.get(policy.redirect_pool_id)
    if pool is None or pool.going or pool.loadbalancer_id != listener.loadbalancer_id:
        raise NotFound(f"Pool {policy.redirect_pool_id} not found.")
    ensure_pair(listener, pool)
    ensure_sharing(listener, pool.id, senders_of(change.unit, pool.id))


def _live(unit: UnitOfWork, listener_id: str) -> list[L7Policy]:
    """By position, without those that are being deleted."""
    where = {"listener_id": listener_id, "going": False}
    return unit.l7policies.find(Query(where=where, sort=(("position", True),)))


def _at_place(others: list[L7Policy], policy: L7Policy) -> L7Policy:
    return replace(policy, position=min(policy.position, len(others) + 1))


def _renumber(unit: UnitOfWork, others: list[L7Policy], placed: L7Policy | None = None) -> None:
    """From 1 without gaps, `placed` where it says."""
    order = list(others)
    if placed is not None:
        order.insert(placed.position - 1, placed)
    for number, policy in enumerate(order, start=1):
        if policy.position != number:
            unit.l7policies.replace(replace(policy, position=number))


def show(services: Services, caller: Caller, key: str) -> L7Policy:
    """Raises `NotFound` and `Forbidden`."""
    policy = services.storage.look(lambda unit: unit.l7policies.get(key))
    if policy is None:
        raise NotFound(f"L7Policy {key} not found.")
    ensure_may_see(caller, policy)
    return policy


def current(unit: UnitOfWork, key: str) -> L7Policy:
    """As it is stored now; raises `NotFound`, and `Conflict` where it is being deleted."""
    policy = unit.l7policies.get(key)
    if policy is None:
        raise NotFound(f"L7Policy {key} not found.")
    if policy.going:
        raise Conflict(f"L7Policy {key} is immutable and cannot be updated: it is being deleted")
    return policy


def update(services: Services, caller: Caller, key: str, fields: Fields) -> L7Policy:
    """Only what is given changes."""
    before = show(services, caller, key)
    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        owner = change.lock(before.loadbalancer_id)
        listener = change.listener(before.listener_id)
        policy = _changed(current(unit, key), fields)
        _ensure_pool(change, listener, policy)
        others = [item for item in _live(unit, listener.id) if item.id != key]
        policy = _at_place(others, policy)
        unit.l7policies.replace(policy)
        _renumber(unit, others, policy)
        change.touch_listener(listener)
        change.send(owner, f"L7 policy {key} changed")
    services.bell.ring()
    return policy


def _changed(policy: L7Policy, fields: Fields) -> L7Policy:
    pending = {"provisioning_status": ProvisioningStatus.PENDING_UPDATE}
    changed = replace(policy, **{**_implied(fields), **fields, **pending})
    after = {name: getattr(changed, name) for name in (*_TARGETS.values(), _CODE)}
    return replace(changed, **_target(after, changed.action, fields))


def _implied(fields: Fields) -> dict[str, Any]:
    """As in Octavia, the action that a new target is of, where the client says none."""
    actions = [action for action, name in _TARGETS.items() if fields.get(name)]
    return {"action": actions[0]} if len(actions) == 1 else {}


def delete(services: Services, caller: Caller, key: str) -> None:
    """With its rules; those behind it move up."""
    before = show(services, caller, key)
    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        owner = change.lock(before.loadbalancer_id)
        policy = unit.l7policies.get(key)
        if policy is None:
            raise NotFound(f"L7Policy {key} not found.")
        going = replace(policy, provisioning_status=ProvisioningStatus.PENDING_DELETE, going=True)
        unit.l7policies.replace(going)
        _renumber(unit, _live(unit, policy.listener_id))
        change.touch_listener(change.listener(policy.listener_id))
        change.send(owner, f"L7 policy {key} deleted")
    services.bell.ring()
