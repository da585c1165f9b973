"""Policies of listeners in HAProxy's configuration: conditions, and what happens where all of them are true. Pure.

Each condition is an `acl` of its own line, for between braces a value that is a brace would end it. What a customer
wrote stands in single quotes behind `--`, so that neither its spaces nor its first dash mean anything.
"""

from collections.abc import Iterator

from libra.drivers.haproxy.config import Branch, Condition, Frontend, Options, Redirection
from libra.drivers.haproxy.formats import word, written_format
from libra.drivers.haproxy.names import backend_name
from libra.model.listener import Listener
from libra.model.policy import Comparison, Policy, PolicyAction, Rule, RuleType

# As in Octavia, where it says so of every driver: what rejects is never passed by, whatever its position is.
_ORDER = {
    PolicyAction.REJECT: 0,
    PolicyAction.REDIRECT_TO_URL: 1,
    PolicyAction.REDIRECT_PREFIX: 1,
    PolicyAction.REDIRECT_TO_POOL: 2,
}
_MATCHES = {
    Comparison.REGEX: "-m reg",
    Comparison.STARTS_WITH: "-m beg",
    Comparison.ENDS_WITH: "-m end",
    Comparison.CONTAINS: "-m sub",
    Comparison.EQUAL_TO: "-m str",
}
_HOST_ONLY = ",host_only"
_HOST_ONLY_SINCE = (2, 5)
# The last segment, nothing of it where there is no dot in it, and of the rest what is behind the last one.
_FILE_TYPE = "path,field(-1,/),regsub(^[^.]*$,),field(-1,.)"
_TOLERATED = "txn.tolerated"


def build_branches(listener: Listener) -> tuple[Branch, ...]:
    """In the order in which they are tried; of one kind in that of the message."""
    policies = sorted(listener.policies, key=lambda item: _ORDER[item.action])
    return tuple(map(_build_branch, policies))


def _build_branch(policy: Policy) -> Branch:
    return Branch(
        conditions=tuple(map(_build_condition, policy.rules)),
        backend=backend_name(policy.pool.id) if policy.pool else None,
        redirection=Redirection(policy.url, policy.code or 302) if policy.url else None,
        prefix=policy.action is PolicyAction.REDIRECT_PREFIX,
        tolerant=any(rule.type is RuleType.SSL_VERIFY_RESULT for rule in policy.rules),
    )


def _build_condition(rule: Rule) -> Condition:
    match = _MATCHES[rule.comparison]
    value = rule.value
    if rule.type is RuleType.HOST_NAME:
        match = f"-i {match}"
    elif rule.type is RuleType.SSL_CONN_HAS_CERT:
        match, value = "", "1"
    elif rule.type is RuleType.SSL_VERIFY_RESULT:
        match = ""
    return Condition(_fetch(rule), match, value, rule.invert)


def _fetch(rule: Rule) -> str:
    match rule.type:
        case RuleType.HOST_NAME:
            # A port counts only where the value has one.
            return f"req.hdr(host){'' if ':' in rule.value else _HOST_ONLY}"
        case RuleType.PATH:
            return "path"
        case RuleType.FILE_TYPE:
            return _FILE_TYPE
        case RuleType.HEADER:
            # A value with a comma would never be found among values that are cut at commas.
            return f"req.{'fhdr' if ',' in rule.value else 'hdr'}({rule.key})"
        case RuleType.COOKIE:
            return f"req.cook({rule.key})"
        case RuleType.SSL_CONN_HAS_CERT:
            return "ssl_c_used"
        case RuleType.SSL_VERIFY_RESULT:
            return "ssl_c_verify"
        case RuleType.SSL_DN_FIELD:
            return f"ssl_c_s_dn({rule.key})"


def render_branches(frontend: Frontend, options: Options) -> Iterator[str]:
    """All but those to a backend, whose conditions are here, too."""
    for number, branch in enumerate(frontend.branches):
        for index, condition in enumerate(branch.conditions):
            yield f"    acl {_name(number, index)} {_render(condition, options)}"
    if any(branch.tolerant for branch in frontend.branches):
        yield from _tolerate(frontend)
    for number, branch in enumerate(frontend.branches):
        if branch.backend is not None:
            continue
        if branch.redirection is None:
            yield f"    http-request deny if {_all_of(number, branch)}"
            continue
        kind = "prefix" if branch.prefix else "location"
        where = f"code {branch.redirection.code} {kind} {written_format(branch.redirection.url)}"
        yield f"    http-request redirect {where} if {_all_of(number, branch)}"


def _tolerate(frontend: Frontend) -> Iterator[str]:
    """Handshakes let bad certificates pass here: whoever shows one gets no further than a policy that asks for it."""
    for number, branch in enumerate(frontend.branches):
        if branch.tolerant:
            rule = f"http-request set-var({_TOLERATED}) bool(true)"
            yield f"    {rule} if {_all_of(number, branch)}"
    yield f"    http-request deny if {{ ssl_c_verify gt 0 }} !{{ var({_TOLERATED}) -m bool }}"


def render_choices(frontend: Frontend) -> Iterator[str]:
    """Behind all other rules: HAProxy warns of rules that stand behind these."""
    for number, branch in enumerate(frontend.branches):
        if branch.backend is not None:
            yield f"    use_backend {branch.backend} if {_all_of(number, branch)}"


def _render(condition: Condition, options: Options) -> str:
    fetch = condition.fetch
    if options.version < _HOST_ONLY_SINCE:
        fetch = fetch.replace(_HOST_ONLY, ",field(1,:)")
    text = f"{word(fetch)} {condition.match} -- " if condition.match else f"{word(fetch)} "
    return text + word(condition.value)


def _all_of(number: int, branch: Branch) -> str:
    return " ".join(
        f"{'!' if condition.negated else ''}{_name(number, index)}"
        for index, condition in enumerate(branch.conditions)
    )


def _name(number: int, index: int) -> str:
    return f"branch{number}.{index}"
