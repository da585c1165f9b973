"""Writes load balancers as the 2.0 UPDATE message that reads back as exactly these."""

from datetime import timedelta

from libra.messages.codec import JsonObject
from libra.messages.version2.listeners import FORWARDED_FOR
from libra.messages.version2.writtenpolicies import build_policy
from libra.messages.version2.writtenservices import build_service
from libra.messages.written import build_node, build_options, without_none
from libra.model.listener import Listener, Protocol
from libra.model.loadbalancer import LoadBalancer
from libra.model.pool import HealthMonitor, Pool, SessionPersistence
from libra.model.tls import (
    Certificate,
    ClientAuthentication,
    MemberTls,
    StrictTransport,
    Tls,
    TlsChoice,
)

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)


def build_update(loadbalancers: tuple[LoadBalancer, ...]) -> JsonObject:
    """Every value is written out; a pool that no listener sends to is not there."""
    return {
        "hpcs_action": "UPDATE",
        "hpcs_version": "2.0",
        "loadbalancers": [build_loadbalancer(item) for item in loadbalancers],
    }


def build_loadbalancer(loadbalancer: LoadBalancer) -> JsonObject:
    """One of `loadbalancers`."""
    return without_none(
        {
            "id": loadbalancer.id,
            "name": loadbalancer.name,
            "enabled": loadbalancer.enabled,
            "address": loadbalancer.address,
            "listeners": [_listener(item) for item in loadbalancer.listeners],
            "pools": [_pool(item) for item in loadbalancer.pools],
        }
    )


def _listener(listener: Listener) -> JsonObject:
    return without_none(
        {
            "id": listener.id,
            "name": listener.name,
            "enabled": listener.enabled,
            "protocol": "TERMINATED_HTTPS" if listener.tls else listener.protocol.value,
            "port": listener.port,
            "bind_address": listener.bind_address,
            "pool": listener.pool.id if listener.pool else None,
            "connection_limit": listener.connection_limit,
            "options": build_options(listener.timeouts, listener.connect_retries),
            "allowed_cidrs": list(listener.allowed_cidrs),
            "insert_headers": _headers(listener) if listener.protocol is Protocol.HTTP else None,
            "hsts": _hsts(listener.hsts) if listener.hsts else None,
            "tls": _tls(listener.tls) if listener.tls else None,
            **_web(listener),
        }
    )


def _web(listener: Listener) -> JsonObject:
    """What is not as it is for most listeners is written only then: their messages, and digests, stay the same."""
    services = listener.services
    return {
        "services": None if services is None else list(map(build_service, services)),
        "policies": list(map(build_policy, listener.policies)) or None,
        "ip_version": listener.ip_version,
        "backlog": listener.backlog,
        "threads": listener.threads,
        "access_log": None if listener.access_log else False,
        "shared": True if listener.shared else None,
    }


def _headers(listener: Listener) -> JsonObject:
    told = {item.value: True for item in listener.headers}
    return {FORWARDED_FOR: True, **told} if listener.x_forwarded_for else {**told}


def _hsts(hsts: StrictTransport) -> JsonObject:
    return {
        "max_age": hsts.max_age,
        "include_subdomains": hsts.include_subdomains,
        "preload": hsts.preload,
    }


def _tls(tls: Tls) -> JsonObject:
    authenticates = tls.client_authentication is not ClientAuthentication.NONE
    return without_none(
        {
            "certificates": list(map(_certificate, tls.certificates)),
            "client_authentication": tls.client_authentication.value if authenticates else None,
            "client_ca": tls.client_ca,
            "client_crl": tls.client_crl,
            **_chosen(tls),
            "dhparam": tls.dhparam,
        }
    )


def _member_tls(tls: MemberTls) -> JsonObject:
    shown = tls.certificate
    return without_none(
        {
            "certificate": _certificate(shown) if shown else None,
            "ca": tls.authorities,
            "crl": tls.revocations,
            **_chosen(tls),
        }
    )


def _certificate(item: Certificate) -> JsonObject:
    return {"id": item.id, "certificate": item.chain, "key": item.key}


def _chosen(tls: TlsChoice) -> JsonObject:
    return {
        "versions": [item.value for item in tls.versions] or None,
        "ciphers": tls.ciphers,
        "alpn": list(tls.alpn) or None,
    }


def _pool(pool: Pool) -> JsonObject:
    return without_none(
        {
            "id": pool.id,
            "name": pool.name,
            "enabled": pool.enabled,
            "protocol": pool.protocol.value if pool.protocol else None,
            "algorithm": pool.algorithm.value,
            "session_persistence": _persistence(pool.persistence) if pool.persistence else None,
            "monitor": _monitor(pool.monitor) if pool.monitor else None,
            "tls": _member_tls(pool.tls) if pool.tls else None,
            "nodes": [build_node(member) for member in pool.members],
        }
    )


def _persistence(persistence: SessionPersistence) -> JsonObject:
    minutes = persistence.timeout // _MINUTE if persistence.timeout is not None else None
    return without_none(
        {
            "type": persistence.type.value,
            "cookie_name": persistence.cookie_name,
            "timeout_minutes": minutes,
        }
    )


def _monitor(monitor: HealthMonitor) -> JsonObject:
    fields: JsonObject = {
        "type": monitor.type.value,
        "delay": monitor.delay // _SECOND,
        "timeout": monitor.timeout // _SECOND,
        "attempts": monitor.attempts,
        "attempts_down": monitor.attempts_down,
    }
    if monitor.is_http:
        codes = [f"{first}-{last}" for first, last in monitor.expected_codes]
        fields |= {"method": monitor.method, "path": monitor.path, "expected_codes": codes}
        fields |= {"http_version": monitor.http_version, "domain_name": monitor.host}
    return without_none(fields)
