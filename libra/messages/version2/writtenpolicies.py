"""Writes policies as the objects that read back as exactly these."""

from libra.messages.codec import JsonObject
from libra.messages.written import without_none
from libra.model.policy import Policy, Rule


def build_policy(policy: Policy) -> JsonObject:
    """One of a listener's `policies`."""
    return without_none(
        {
            "id": policy.id,
            "action": policy.action.value,
            "pool": policy.pool.id if policy.pool else None,
            "url": policy.url,
            "code": policy.code,
            "rules": [_rule(item) for item in policy.rules],
        }
    )


def _rule(rule: Rule) -> JsonObject:
    return without_none(
        {
            "type": rule.type.value,
            "compare_type": rule.comparison.value,
            "key": rule.key,
            "value": rule.value,
            "invert": True if rule.invert else None,
        }
    )
