"""Certificates and keys on their way into a message. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from libra.model.resources.listener import Listener, ListenerProtocol
from libra.model.resources.pool import Pool
from libra.model.resources.references import id_of, pool_references, references_of, shown_of
from libra.model.tls import Certificate, MemberTls, StrictTransport, Tls, TlsVersion


@dataclass(frozen=True, slots=True)
class Material:
    """PEM; `key` is "" for authorities and revocation lists."""

    pem: str
    key: str = field(default="", repr=False)


Materials = Mapping[str, Material]
NO_MATERIALS: Materials = MappingProxyType({})


def is_complete(listener: Listener, materials: Materials) -> bool:
    """A listener that ends TLS never listens without it."""
    return references_of(listener) <= materials.keys()


def translate_tls(listener: Listener, materials: Materials) -> Tls | None:
    """None where it ends no TLS."""
    if listener.protocol is not ListenerProtocol.TERMINATED_HTTPS:
        return None
    certificates = tuple(_certificate(key, materials) for key in shown_of(listener))
    return Tls(
        certificates=certificates,
        client_authentication=listener.client_authentication,
        client_ca=_trusted(listener.client_ca_tls_container_ref, materials),
        client_crl=_trusted(listener.client_crl_container_ref, materials),
        versions=tuple(item for item in TlsVersion if item.value in listener.tls_versions),
        ciphers=listener.tls_ciphers,
        alpn=tuple(dict.fromkeys(listener.alpn_protocols)),
    )


def _trusted(reference: str | None, materials: Materials) -> str | None:
    return materials[id_of(reference)].pem if reference else None


def is_pool_complete(pool: Pool, materials: Materials) -> bool:
    """One whose members are to be spoken to over TLS is never without what that takes."""
    return not pool.tls_enabled or pool_references(pool) <= materials.keys()


def translate_member_tls(pool: Pool, materials: Materials) -> MemberTls | None:
    """None where members are spoken to in clear."""
    if not pool.tls_enabled:
        return None
    shown = pool.tls_container_ref
    return MemberTls(
        certificate=_certificate(id_of(shown), materials) if shown else None,
        authorities=_trusted(pool.ca_tls_container_ref, materials),
        revocations=_trusted(pool.crl_container_ref, materials),
        versions=tuple(item for item in TlsVersion if item.value in pool.tls_versions),
        ciphers=pool.tls_ciphers,
        alpn=tuple(dict.fromkeys(pool.alpn_protocols)),
    )


def _certificate(key: str, materials: Materials) -> Certificate:
    return Certificate(id=key, chain=materials[key].pem, key=materials[key].key)


def translate_hsts(listener: Listener) -> StrictTransport | None:
    """None where browsers are told nothing."""
    if listener.hsts_max_age is None:
        return None
    return StrictTransport(
        max_age=listener.hsts_max_age,
        include_subdomains=listener.hsts_include_subdomains,
        preload=listener.hsts_preload,
    )
