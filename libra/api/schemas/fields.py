"""From request bodies to the fields of records. Nulls mean the default."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from typing import Any

from libra.api.schemas.octavia import (
    HEADERS,
    OF_CERTIFICATES,
    ListenerUpdate,
    MemberBody,
    MemberUpdate,
    MonitorUpdate,
    NestedListenerBody,
    NestedPolicyBody,
    NestedPoolBody,
    PersistenceBody,
    PoolUpdate,
)
from libra.api.schemas.policies import PolicyUpdate, RuleUpdate
from libra.api.schemas.types import Body
from libra.errors import Invalid
from libra.messages.addresses import parse_ip_address
from libra.messages.fields import quoted
from libra.model.resources.l7policy import L7Policy, L7Rule
from libra.model.resources.listener import Listener, ListenerProtocol
from libra.model.resources.loadbalancer import LoadBalancer
from libra.model.resources.member import Member
from libra.model.resources.monitor import HealthMonitor, HealthMonitorType
from libra.model.resources.pool import Pool, PoolPersistence
from libra.usecases.l7policies import LAST

TLS_DEFAULTS = {
    "tls_versions": ("TLSv1.2", "TLSv1.3"),
    "alpn_protocols": ("h2", "http/1.1", "http/1.0"),
}
_NAMED_TIES = frozenset(("cookie_name", "persistence_timeout"))
OWNERS = frozenset(("project_id", "tenant_id"))


def defaults_of(kind: type[Any]) -> Mapping[str, Any]:
    """The fields of a record that have one."""
    return {item.name: item.default for item in fields(kind) if item.default is not MISSING}


_SERVING = {
    name: value
    for name, value in defaults_of(Member).items()
    if name in ("admin_state_up", "weight", "backup") or name.startswith("monitor_")
}


def fields_of(body: Body, kind: type[Any], *left_out: str) -> dict[str, Any]:
    """What was given, as the record has it."""
    given: dict[str, Any] = {}
    for name, value in body.given().items():
        if name in OWNERS or name in left_out or name not in _names(kind):
            continue
        given[name] = _default(kind, name) if value is None else _stored(value)
    return given


def _default(kind: type[Any], name: str) -> Any:
    """What null means."""
    defaults = defaults_of(kind)
    if name not in defaults:
        raise Invalid(f"Invalid input for field/attribute {name}. Value: 'None'. It is required")
    return defaults[name]


def _names(kind: type[Any]) -> frozenset[str]:
    return frozenset(item.name for item in fields(kind))


def _stored(value: Any) -> Any:
    if isinstance(value, PersistenceBody):
        return value.record()
    return tuple(value) if isinstance(value, list) else value


def loadbalancer_fields(body: Body) -> dict[str, Any]:
    """Without what decides where it goes."""
    vip = ("vip_address", "vip_subnet_id", "vip_network_id", "vip_port_id")
    return fields_of(body, LoadBalancer, *vip)


def listener_fields(body: ListenerUpdate, protocol: ListenerProtocol | None) -> dict[str, Any]:
    """`protocol` None where nobody knows it yet, as in a change: then headers are checked by the caller."""
    given = fields_of(body, Listener)
    if protocol is ListenerProtocol.TERMINATED_HTTPS:
        given |= _tls_defaults(body)
    if body.insert_headers is not None:
        given["insert_headers"] = _headers(body.insert_headers, protocol)
    return given


def _tls_defaults(body: ListenerUpdate) -> dict[str, Any]:
    """What a new listener has that says nothing, and an old one that says null."""
    is_new = isinstance(body, NestedListenerBody)
    return {
        name: value
        for name, value in TLS_DEFAULTS.items()
        if getattr(body, name) is None and (is_new or name in body.model_fields_set)
    }


def _headers(
    wanted: Mapping[str, Any], protocol: ListenerProtocol | None
) -> tuple[tuple[str, str], ...]:
    for name, value in wanted.items():
        ends_tls = protocol is ListenerProtocol.TERMINATED_HTTPS
        if name not in HEADERS or (name in OF_CERTIFICATES and not ends_tls):
            raise Invalid(f"Invalid input for field/attribute insert_headers: {quoted(name)}")
        if str(value).lower() not in ("true", "false"):
            raise Invalid(f"Invalid value for insert_headers {name}: it must be true or false")
    if wanted and protocol is not None and not protocol.is_http:
        raise Invalid(f"Validation failure: insert_headers do not go with {protocol.value}")
    # As they were spelled, for clients that find another text take it for a change.
    spelled = {name: v if isinstance(v, str) else str(v).lower() for name, v in wanted.items()}
    return tuple(sorted(spelled.items()))


def nested_listener(body: NestedListenerBody) -> dict[str, Any]:
    """As `libra.usecases.parts` takes it."""
    given = listener_fields(body, body.protocol)
    if body.default_pool is not None:
        _ensure_one("default_pool", body.default_pool_id)
        given["default_pool"] = nested_pool(body.default_pool)
    if body.l7policies:
        given["l7policies"] = [_nested_policy(item) for item in body.l7policies]
    return given


def _ensure_one(name: str, other: str | None) -> None:
    """A pool is given by itself or by its id."""
    if other is not None:
        raise Invalid(f"Validation failure: {name} and {name}_id are both given: only one can be")


def _nested_policy(body: NestedPolicyBody) -> dict[str, Any]:
    given = policy_fields(body)
    given["rules"] = [rule_fields(item) for item in body.rules or ()]
    if body.redirect_pool is not None:
        _ensure_one("redirect_pool", body.redirect_pool_id)
        given["redirect_pool"] = nested_pool(body.redirect_pool)
    return given


def policy_fields(body: PolicyUpdate) -> dict[str, Any]:
    """A position that is null is the last one."""
    given = fields_of(body, L7Policy, "listener_id")
    if "position" in given and body.position is None:
        given["position"] = LAST
    return given


def rule_fields(body: RuleUpdate) -> dict[str, Any]:
    """As they are."""
    return fields_of(body, L7Rule)


def nested_pool(body: NestedPoolBody) -> dict[str, Any]:
    """A name alone is a reference."""
    given = fields_of(body, Pool, "loadbalancer_id", "listener_id")
    if set(given) == {"name"} and not body.members and body.healthmonitor is None:
        return given
    if body.protocol is None or body.lb_algorithm is None:
        raise Invalid("Validation failure: a pool needs protocol and lb_algorithm")
    given["members"] = [member_fields(item) for item in body.members or ()]
    if body.healthmonitor is not None:
        given["healthmonitor"] = monitor_fields(body.healthmonitor, body.healthmonitor.type)
    return given


def pool_changes(body: PoolUpdate, before: Pool) -> dict[str, Any]:
    """Of what ties clients to members only what is given changes, unless it is another kind."""
    given = fields_of(body, Pool)
    change = body.session_persistence
    if change is None:
        return given
    tied = before.session_persistence
    if change.type is not None and (tied is None or tied.type is not change.type):
        tied = PoolPersistence(type=change.type)
    if tied is None:
        raise Invalid("Invalid input for field/attribute session_persistence.type: it is required")
    changes = {name: value for name, value in change.given().items() if name in _NAMED_TIES}
    return {**given, "session_persistence": replace(tied, **changes)}


def member_fields(body: MemberUpdate) -> dict[str, Any]:
    """Addresses in one spelling, and in the given one: clients that find another take it for a change."""
    given = fields_of(body, Member)
    for name in ("address", "monitor_address"):
        if name in given:
            spelled = given[name]
            given[name] = parse_ip_address(spelled) if spelled else None
            given[f"{name}_as_given"] = None if spelled == given[name] else spelled
    return given


def batch_fields(body: MemberBody) -> dict[str, Any]:
    """One of many that a pool shall have: as in Octavia, what is not said of how it serves is as of a new one."""
    return {**_SERVING, **member_fields(body)}


def monitor_fields(body: MonitorUpdate, kind: HealthMonitorType) -> dict[str, Any]:
    """The fields of a request are refused where none is made."""
    given = fields_of(body, HealthMonitor)
    http = {"http_method", "url_path", "expected_codes", "http_version", "domain_name"}
    odd = sorted(name for name in http & set(given) if getattr(body, name) is not None)
    if odd and not kind.is_http:
        raise Invalid(f"Validation failure: {odd[0]} does not go with the type {kind.value}")
    if given.get("http_version") is not None:
        given["http_version"] = str(given["http_version"])
    return given
