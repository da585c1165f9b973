"""What does not go together, and how many of one kind one message takes. Pure.

Devices refuse the same; here it is told before anything is stored.
"""

import ipaddress
from collections.abc import Iterable

from libra.errors import Conflict, Invalid, QuotaExceeded
from libra.messages.members import MAX_NODES
from libra.messages.version2.loadbalancers import MAX_LISTENERS
from libra.messages.version2.policies import MAX_POLICIES, MAX_RULES, find_fault, is_key
from libra.messages.version2.pools import MAX_POOLS
from libra.model.policy import COMPARISONS, Comparison
from libra.model.resources.l7policy import L7Rule
from libra.model.resources.listener import Listener, ListenerProtocol
from libra.model.resources.monitor import HealthMonitor
from libra.model.resources.pool import PersistenceKind, Pool, PoolProtocol
from libra.model.tls import ClientAuthentication, TlsVersion

TLS_FIELDS = frozenset(
    (
        *("default_tls_container_ref", "sni_container_refs", "client_authentication"),
        *("client_ca_tls_container_ref", "client_crl_container_ref"),
        *("tls_ciphers", "tls_versions", "alpn_protocols"),
        *("hsts_max_age", "hsts_include_subdomains", "hsts_preload"),
    )
)
POOL_TLS_FIELDS = frozenset(
    (
        *("tls_enabled", "tls_container_ref", "ca_tls_container_ref", "crl_container_ref"),
        *("tls_ciphers", "tls_versions", "alpn_protocols"),
    )
)
_PROXY = {PoolProtocol.PROXY, PoolProtocol.PROXYV2}
FITTING = {
    ListenerProtocol.HTTP: {PoolProtocol.HTTP} | _PROXY,
    ListenerProtocol.TERMINATED_HTTPS: {PoolProtocol.HTTP} | _PROXY,
    ListenerProtocol.HTTPS: {PoolProtocol.HTTPS, PoolProtocol.TCP} | _PROXY,
    ListenerProtocol.TCP: set(PoolProtocol),
    ListenerProtocol.PROMETHEUS: set(),
}
"""Which pools a listener may send to."""
_WITHOUT_COOKIES = {PoolProtocol.TCP, PoolProtocol.HTTPS}


def ensure_pool(pool: Pool) -> None:
    """Raises `Invalid` for cookies where there are no requests, and for TLS that cannot be spoken."""
    if pool.tls_enabled and pool.protocol is PoolProtocol.HTTPS:
        raise Invalid(
            "Validation failure: tls_enabled does not go with HTTPS: what clients send is TLS already"
        )
    if pool.crl_container_ref is not None and pool.ca_tls_container_ref is None:
        raise Invalid("Validation failure: crl_container_ref requires ca_tls_container_ref")
    _ensure_neighbours(pool.tls_versions)
    tied = pool.session_persistence
    if tied and (tied.type is PersistenceKind.APP_COOKIE) != (tied.cookie_name is not None):
        raise Invalid("Validation failure: cookie_name is for APP_COOKIE, and required there")
    if _is_tied_by_cookie(pool) and pool.protocol in _WITHOUT_COOKIES:
        raise Invalid(
            f"Validation failure: session persistence by cookie does not go with {pool.protocol.value}"
        )


def ensure_pair(listener: Listener, pool: Pool) -> None:
    """Raises `Invalid` where the listener cannot send to the pool."""
    if pool.protocol not in FITTING[listener.protocol]:
        raise Invalid(
            f"Validation failure: The pool protocol '{pool.protocol.value}' is invalid while the listener "
            f"protocol is '{listener.protocol.value}'."
        )
    if _is_tied_by_cookie(pool) and not listener.protocol.is_http:
        raise Invalid(
            f"Validation failure: session persistence by cookie does not go with a listener of "
            f"{listener.protocol.value}"
        )


def ensure_sharing(listener: Listener, pool_id: str, others: Iterable[Listener]) -> None:
    """Raises `Invalid` where others send something else to the same pool."""
    if any(other.protocol.is_http != listener.protocol.is_http for other in others):
        raise Invalid(
            f"Validation failure: the pool {pool_id} serves listeners of HTTP or of TCP, "
            "not of both"
        )


def ensure_cidrs(listener: Listener, address: str) -> None:
    """Raises `Invalid` for client networks of the other family: nobody from there reaches `address`."""
    if not address:
        return
    version = ipaddress.ip_address(address).version
    for cidr in listener.allowed_cidrs:
        if ipaddress.ip_network(cidr).version != version:
            raise Invalid(
                f"Validation failure: allowed_cidrs and the address must be of one IP version: "
                f"{cidr} does not go with {address}"
            )


def ensure_tls(listener: Listener) -> None:
    """Raises `Invalid` for TLS where none is ended, and for what does not go together."""
    if listener.protocol is not ListenerProtocol.TERMINATED_HTTPS:
        _refuse_tls(listener)
        return
    if listener.default_tls_container_ref is None and not listener.sni_container_refs:
        raise Invalid(
            "Validation failure: An SNI or default certificate container reference must be provided "
            "with TERMINATED_HTTPS"
        )
    if listener.client_ca_tls_container_ref is None:
        if listener.client_authentication is not ClientAuthentication.NONE:
            raise Invalid(
                "Validation failure: client_authentication requires client_ca_tls_container_ref"
            )
        if listener.client_crl_container_ref is not None:
            raise Invalid(
                "Validation failure: client_crl_container_ref requires client_ca_tls_container_ref"
            )
    if listener.hsts_max_age is None and (
        listener.hsts_include_subdomains or listener.hsts_preload
    ):
        raise Invalid(
            "Validation failure: hsts_include_subdomains and hsts_preload require hsts_max_age"
        )
    _ensure_neighbours(listener.tls_versions)


def _ensure_neighbours(versions: Iterable[str]) -> None:
    order = [item.value for item in TlsVersion]
    places = sorted({order.index(item) for item in versions})
    if places and places[-1] - places[0] + 1 != len(places):
        raise Invalid("Validation failure: tls_versions must be without a gap")


def _refuse_tls(listener: Listener) -> None:
    none = ClientAuthentication.NONE
    odd = sorted(
        name for name in TLS_FIELDS if getattr(listener, name) not in (None, (), False, none)
    )
    if odd:
        raise Invalid(
            f"Validation failure: {odd[0]} is only allowed on TERMINATED_HTTPS protocol listeners"
        )


def ensure_requests(listener: Listener) -> None:
    """Raises `Invalid` where there are none that an L7 policy could look at."""
    if not listener.protocol.is_http:
        raise Invalid(
            f"Validation failure: L7 policies do not go with a listener of {listener.protocol.value}"
        )


def ensure_rule(rule: L7Rule) -> None:
    """Raises `Invalid` for a key or a value that the type cannot have."""
    if rule.compare_type not in COMPARISONS.get(rule.type, tuple(Comparison)):
        raise Invalid(
            f"Invalid input for field/attribute compare_type: {rule.compare_type.value} does not go with "
            f"{rule.type.value}"
        )
    if rule.type.has_key != (rule.key is not None):
        raise Invalid(
            f"Validation failure: key {'is required with' if rule.type.has_key else 'does not go with'} "
            f"{rule.type.value}"
        )
    if rule.key is not None and not is_key(rule.type, rule.key):
        raise Invalid(
            "Invalid input for field/attribute key: it must be the name of what is looked at"
        )
    if fault := find_fault(rule.type, rule.compare_type, rule.value):
        raise Invalid(f"Invalid input for field/attribute value: it must be {fault}")


def ensure_monitor(monitor: HealthMonitor) -> None:
    """Raises `Invalid`: HTTP/1.0 has no Host."""
    if monitor.domain_name is not None and monitor.http_version != "1.1":
        raise Invalid("Validation failure: domain_name requires http_version 1.1")


def ensure_listeners(count: int) -> None:
    """Raises `QuotaExceeded` for more than a load balancer can have."""
    _ensure("Listener", count, MAX_LISTENERS, "a load balancer")


def ensure_pools(count: int) -> None:
    """Raises `QuotaExceeded` for more than a load balancer can have."""
    _ensure("Pool", count, MAX_POOLS, "a load balancer")


def ensure_members(count: int) -> None:
    """Raises `QuotaExceeded` for more than a pool can have."""
    _ensure("Member", count, MAX_NODES, "a pool")


def ensure_policies(count: int) -> None:
    """Raises `QuotaExceeded` for more than a listener can have."""
    _ensure("L7Policy", count, MAX_POLICIES, "a listener")


def ensure_rules(count: int) -> None:
    """Raises `Conflict` for more than a policy can have, as Octavia does."""
    if count > MAX_RULES:
        raise Conflict(f"Too many rules: an L7 policy may have {MAX_RULES} at most")


def _ensure(what: str, count: int, most: int, owner: str) -> None:
    if count > most:
        raise QuotaExceeded(
            f"Quota has been met for resources: {what}; {owner} may have {most} at most"
        )


def _is_tied_by_cookie(pool: Pool) -> bool:
    tied = pool.session_persistence
    return tied is not None and tied.type is not PersistenceKind.SOURCE_IP
