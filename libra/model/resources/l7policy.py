"""The L7 policy: what a listener does with some requests, and the rules that say with which."""

from dataclasses import dataclass

from libra.model.policy import Comparison, PolicyAction, RuleType
from libra.model.resources.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class L7Policy(Resource):
    """`position` counts from 1, without gaps, in its listener; what is being deleted keeps its old one.

    `redirect_pool_id`, `redirect_url` or `redirect_prefix` is for the action that is named so, the code for the last
    two.
    """

    loadbalancer_id: str
    listener_id: str
    action: PolicyAction
    description: str = ""
    position: int = 1
    redirect_pool_id: str | None = None
    redirect_url: str | None = None
    redirect_prefix: str | None = None
    redirect_http_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class L7Rule(Resource):
    """One condition; it has no name. `key` is for types that have one."""

    loadbalancer_id: str
    l7policy_id: str
    type: RuleType
    compare_type: Comparison
    value: str
    key: str | None = None
    invert: bool = False
