"""What listeners and pools refer to among the stored certificates."""

from libra.model.resources.certificate import CertificateType
from libra.model.resources.listener import Listener
from libra.model.resources.pool import Pool
from libra.model.resources.tree import LoadBalancerTree

Wanted = tuple[tuple[str, CertificateType], ...]
"""Ids, each with what it must be."""


def id_of(reference: str) -> str:
    """The last part of a URL, or the id itself."""
    return reference.rstrip("/").rpartition("/")[2]


def shown_of(listener: Listener) -> tuple[str, ...]:
    """The ids of what it shows to clients, the default first, each once."""
    default = listener.default_tls_container_ref
    every = (*((default,) if default else ()), *listener.sni_container_refs)
    return tuple(dict.fromkeys(map(id_of, every)))


def wanted_by_listener(listener: Listener) -> Wanted:
    """All that it names."""
    return (
        *((key, CertificateType.CERTIFICATE) for key in shown_of(listener)),
        *_named(CertificateType.AUTHORITIES, listener.client_ca_tls_container_ref),
        *_named(CertificateType.REVOCATIONS, listener.client_crl_container_ref),
    )


def wanted_by_pool(pool: Pool) -> Wanted:
    """All that it names, also while TLS is switched off."""
    return (
        *_named(CertificateType.CERTIFICATE, pool.tls_container_ref),
        *_named(CertificateType.AUTHORITIES, pool.ca_tls_container_ref),
        *_named(CertificateType.REVOCATIONS, pool.crl_container_ref),
    )


def _named(kind: CertificateType, reference: str | None) -> Wanted:
    return ((id_of(reference), kind),) if reference else ()


def references_of(listener: Listener) -> frozenset[str]:
    """All ids."""
    return frozenset(key for key, _ in wanted_by_listener(listener))


def pool_references(pool: Pool) -> frozenset[str]:
    """All ids."""
    return frozenset(key for key, _ in wanted_by_pool(pool))


def tree_references(tree: LoadBalancerTree) -> frozenset[str]:
    """Those of all listeners and pools."""
    found = [references_of(item) for item in tree.listeners]
    return frozenset().union(*found, *(pool_references(item.pool) for item in tree.pools))
