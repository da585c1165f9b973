"""Octavia's L7 policies and their rules."""

from collections.abc import Sequence
from dataclasses import replace

from fastapi import APIRouter, Depends, Request, Response

from libra.api.auth import WRITERS, Asking, Given
from libra.api.rendering import WrittenRoute
from libra.api.routers.octavia import Json, answer, find, one, page_of
from libra.api.schemas.fields import policy_fields, rule_fields
from libra.api.schemas.policies import PolicyChange, PolicyCreate, RuleChange, RuleCreate
from libra.api.schemas.shown import show_policy, show_rule
from libra.model.resources.l7policy import L7Policy, L7Rule
from libra.storage.base import UnitOfWork
from libra.usecases import l7policies, l7rules

router = APIRouter(prefix="/l7policies", tags=["L7 policies"], route_class=WrittenRoute)


def _show(unit: UnitOfWork, policies: Sequence[L7Policy]) -> list[Json]:
    rules = unit.l7rules.ids_by("l7policy_id", [policy.id for policy in policies])
    return [show_policy(policy, rules[policy.id]) for policy in policies]


@router.get("")
def list_policies(request: Request, services: Given, caller: Asking) -> Json:
    """Those of the caller's project."""
    page = page_of(request, L7Policy, caller)
    with services.storage.reading() as unit:
        rows = find(unit.l7policies, page)
        shown = _show(unit, rows)
    return answer(request, "l7policies", rows, shown, page)


@router.post("", status_code=201, dependencies=[Depends(WRITERS)])
def create_policy(body: PolicyCreate, services: Given, caller: Asking) -> Json:
    """For a listener of requests, alone or with its rules."""
    given = body.l7policy
    fields = policy_fields(given)
    rules = [rule_fields(item) for item in given.rules or ()]
    policy = l7policies.create(services, caller, given.listener_id, fields, rules)
    with services.storage.reading() as unit:
        return {"l7policy": _show(unit, [policy])[0]}


@router.get("/{policy_id}")
def show_one(request: Request, policy_id: str, services: Given, caller: Asking) -> Json:
    """One."""
    policy = l7policies.show(services, caller, policy_id)
    with services.storage.reading() as unit:
        return one(request, "l7policy", _show(unit, [policy])[0])


@router.put("/{policy_id}", dependencies=[Depends(WRITERS)])
def change_policy(policy_id: str, body: PolicyChange, services: Given, caller: Asking) -> Json:
    """All but its listener."""
    policy = l7policies.update(services, caller, policy_id, policy_fields(body.l7policy))
    with services.storage.reading() as unit:
        return {"l7policy": _show(unit, [policy])[0]}


@router.delete("/{policy_id}", status_code=204, dependencies=[Depends(WRITERS)])
def delete_policy(policy_id: str, services: Given, caller: Asking) -> Response:
    """With its rules."""
    l7policies.delete(services, caller, policy_id)
    return Response(status_code=204)


@router.get("/{policy_id}/rules")
def list_rules(request: Request, policy_id: str, services: Given, caller: Asking) -> Json:
    """Of this policy."""
    l7policies.show(services, caller, policy_id)
    page = page_of(request, L7Rule, caller)
    where = {**page.query.where, "l7policy_id": policy_id}
    page = replace(page, query=replace(page.query, where=where))
    with services.storage.reading() as unit:
        rows = find(unit.l7rules, page)
    return answer(request, "rules", rows, [show_rule(row) for row in rows], page)


@router.post("/{policy_id}/rules", status_code=201, dependencies=[Depends(WRITERS)])
def create_rule(policy_id: str, body: RuleCreate, services: Given, caller: Asking) -> Json:
    """One condition more."""
    rule = l7rules.create(services, caller, policy_id, rule_fields(body.rule))
    return {"rule": show_rule(rule)}


@router.get("/{policy_id}/rules/{rule_id}")
def show_one_rule(
    request: Request, policy_id: str, rule_id: str, services: Given, caller: Asking
) -> Json:
    """One."""
    return one(request, "rule", show_rule(l7rules.show(services, caller, policy_id, rule_id)))


@router.put("/{policy_id}/rules/{rule_id}", dependencies=[Depends(WRITERS)])
def change_rule(
    policy_id: str, rule_id: str, body: RuleChange, services: Given, caller: Asking
) -> Json:
    """Whatever of it is given."""
    rule = l7rules.update(services, caller, policy_id, rule_id, rule_fields(body.rule))
    return {"rule": show_rule(rule)}


@router.delete("/{policy_id}/rules/{rule_id}", status_code=204, dependencies=[Depends(WRITERS)])
def delete_rule(policy_id: str, rule_id: str, services: Given, caller: Asking) -> Response:
    """A policy without rules fits no request."""
    l7rules.delete(services, caller, policy_id, rule_id)
    return Response(status_code=204)
