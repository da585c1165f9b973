"""L7 rules of policies."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from libra.errors import NotFound
from libra.model.access import Caller
from libra.model.resources.l7policy import L7Policy, L7Rule
from libra.model.status import ProvisioningStatus
from libra.storage.base import UnitOfWork
from libra.usecases.access import ensure_may_see
from libra.usecases.change import Change
from libra.usecases.fitting import ensure_rule, ensure_rules
from libra.usecases.l7policies import current
from libra.usecases.l7policies import show as show_policy
from libra.usecases.quotas import ensure_room
from libra.usecases.services import Services, new_id

Fields = Mapping[str, Any]


def create(services: Services, caller: Caller, policy_id: str, fields: Fields) -> L7Rule:
    """Raises `Conflict` where the policy has as many as it may."""
    before = show_policy(services, caller, policy_id)
    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        owner = change.lock(before.loadbalancer_id)
        policy = current(unit, policy_id)
        ensure_room(unit, services, owner.project_id, l7rule=1)
        rule = add_rule(change, policy, fields)
        _touch(change, policy)
        change.send(owner, f"L7 rule {rule.id} created")
    services.bell.ring()
    return rule


def add_rule(change: Change, policy: L7Policy, fields: Fields) -> L7Rule:
    """In a change of its load balancer."""
    ensure_rules(change.unit.l7rules.count({"l7policy_id": policy.id}) + 1)
    rule = L7Rule(
        id=new_id(),
        project_id=policy.project_id,
        loadbalancer_id=policy.loadbalancer_id,
        l7policy_id=policy.id,
        created_at=change.moment(),
        **fields,
    )
    ensure_rule(rule)
    change.unit.l7rules.add(rule)
    return rule


def show(services: Services, caller: Caller, policy_id: str, key: str) -> L7Rule:
    """Raises `NotFound`, also for a rule of another policy, and `Forbidden`."""
    show_policy(services, caller, policy_id)
    rule = services.storage.look(lambda unit: unit.l7rules.get(key))
    if rule is None or rule.l7policy_id != policy_id:
        raise NotFound(f"L7Rule {key} not found.")
    ensure_may_see(caller, rule)
    return rule


def update(services: Services, caller: Caller, policy_id: str, key: str, fields: Fields) -> L7Rule:
    """Only what is given changes."""
    before = show(services, caller, policy_id, key)
    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        owner = change.lock(before.loadbalancer_id)
        pending = {"provisioning_status": ProvisioningStatus.PENDING_UPDATE}
        rule = replace(_get(unit, key), **{**fields, **pending})
        ensure_rule(rule)
        unit.l7rules.replace(rule)
        _touch(change, current(unit, policy_id))
        change.send(owner, f"L7 rule {key} changed")
    services.bell.ring()
    return rule


def delete(services: Services, caller: Caller, policy_id: str, key: str) -> None:
    """A policy without rules fits no request."""
    before = show(services, caller, policy_id, key)
    with services.storage.writing() as unit:
        change = Change(unit, services, caller)
        owner = change.lock(before.loadbalancer_id)
        status = ProvisioningStatus.PENDING_DELETE
        going = replace(_get(unit, key), provisioning_status=status, going=True)
        unit.l7rules.replace(going)
        _touch(change, current(unit, policy_id))
        change.send(owner, f"L7 rule {key} deleted")
    services.bell.ring()


def _get(unit: UnitOfWork, key: str) -> L7Rule:
    rule = unit.l7rules.get(key)
    if rule is None:
        raise NotFound(f"L7Rule {key} not found.")
    return rule


def _touch(change: Change, policy: L7Policy) -> None:
    status = ProvisioningStatus.PENDING_UPDATE
    change.unit.l7policies.replace(replace(policy, provisioning_status=status))
    change.touch_listener(change.listener(policy.listener_id))
