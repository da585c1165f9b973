"""Reads the policies of a listener in a 2.0 UPDATE into the model."""

import re
from collections.abc import Mapping

from libra.errors import Invalid
from libra.messages.fields import Fields
from libra.model.policy import (
    COMPARISONS,
    REDIRECT_CODES,
    Comparison,
    Policy,
    PolicyAction,
    Rule,
    RuleType,
)
from libra.model.pool import Pool, PoolProtocol
from libra.model.webservice import is_url

MAX_POLICIES = 500
MAX_RULES = 50
MAX_URL = 2048
# Of a header or a cookie; the quotes that HTTP allows there, too, mean something to HAProxy.
_NAME = re.compile(r"[A-Za-z0-9!#$&*+.^_|~-]{1,255}")
_DN_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9.-]{0,63}")


def parse_policies(fields: Fields, pools: Mapping[str, Pool]) -> tuple[Policy, ...]:
    """In their order; `pools` are those of the load balancer, by id."""
    if not fields.has("policies"):
        return ()
    if fields.count("policies") > MAX_POLICIES:
        raise fields.fault("policies", f"a list of at most {MAX_POLICIES} policies")
    return tuple(_parse_policy(item, pools) for item in fields.objects("policies"))


def _parse_policy(fields: Fields, pools: Mapping[str, Pool]) -> Policy:
    identity = fields.identifier()
    if identity is None:
        raise Invalid(f"cannot read {fields.where('id')}: it is required")
    action = fields.choice("action", PolicyAction)
    if not 1 <= fields.count("rules") <= MAX_RULES:
        raise fields.fault("rules", f"a list of 1 to {MAX_RULES} rules")
    return Policy(
        id=identity,
        action=action,
        rules=tuple(_parse_rule(item) for item in fields.objects("rules")),
        pool=_parse_pool(fields, pools) if action is PolicyAction.REDIRECT_TO_POOL else None,
        url=_parse_url(fields) if action.is_elsewhere else None,
        code=_parse_code(fields) if action.is_elsewhere else None,
    )


def _parse_pool(fields: Fields, pools: Mapping[str, Pool]) -> Pool:
    identity = fields.identifier("pool")
    if identity is None or identity not in pools:
        raise fields.fault("pool", "the id of a pool of the same load balancer")
    pool = pools[identity]
    if pool.protocol in (PoolProtocol.TCP, PoolProtocol.HTTPS):
        raise fields.fault("pool", f"one of another protocol than {pool.protocol.value}")
    return pool


def _parse_url(fields: Fields) -> str:
    url = fields.exact_text("url", longest=MAX_URL)
    if not is_url(url):
        raise fields.fault("url", "a URL with http or https, or a path")
    return url


def _parse_code(fields: Fields) -> int:
    code = fields.integer("code", least=301, most=308, default=302)
    if code not in REDIRECT_CODES:
        raise fields.fault("code", f"one of {', '.join(map(str, REDIRECT_CODES))}")
    return code


def _parse_rule(fields: Fields) -> Rule:
    kind = fields.choice("type", RuleType)
    comparison = fields.choice(
        "compare_type", Comparison, among=COMPARISONS.get(kind, tuple(Comparison))
    )
    value = fields.exact_text("value")
    fault = find_fault(kind, comparison, value)
    if fault:
        raise fields.fault("value", fault)
    return Rule(
        type=kind,
        comparison=comparison,
        value=value,
        key=_parse_key(fields, kind) if kind.has_key else None,
        invert=fields.flag("invert", default=False),
    )


def _parse_key(fields: Fields, kind: RuleType) -> str:
    key = fields.exact_text("key")
    if not is_key(kind, key):
        raise fields.fault("key", "the name of what is looked at")
    return key


def is_key(kind: RuleType, text: str) -> bool:
    """A name of such a thing, and nothing that HAProxy would read more into."""
    pattern = _DN_FIELD if kind is RuleType.SSL_DN_FIELD else _NAME
    return pattern.fullmatch(text) is not None


def find_fault(kind: RuleType, comparison: Comparison, value: str) -> str:
    """What the value must be; empty where it is."""
    if not value:
        return "a text that is not empty"
    if kind is RuleType.SSL_CONN_HAS_CERT:
        return "" if value.lower() == "true" else "true; invert says the contrary"
    if kind is RuleType.SSL_VERIFY_RESULT:
        return "" if re.fullmatch("[0-9]{1,4}", value) else "a whole number, 0 for a good one"
    if comparison is Comparison.REGEX:
        return _find_regex_fault(value)
    return ""


def _find_regex_fault(value: str) -> str:
    """Python's expressions are nearly Perl's: what it reads HAProxy may still refuse, and then nothing changes."""
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError):
        return "a regular expression"
    return ""
