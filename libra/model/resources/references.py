"""What a listener refers to among the stored certificates."""

from libra.model.resources.listener import Listener


def id_of(reference: str) -> str:
    """The last part of a URL, or the id itself."""
    return reference.rstrip("/").rpartition("/")[2]


def shown_of(listener: Listener) -> tuple[str, ...]:
    """The ids of what it shows to clients, the default first, each once."""
    default = listener.default_tls_container_ref
    every = (*((default,) if default else ()), *listener.sni_container_refs)
    return tuple(dict.fromkeys(map(id_of, every)))


def references_of(listener: Listener) -> frozenset[str]:
    """All ids."""
    trusted = (listener.client_ca_tls_container_ref, listener.client_crl_container_ref)
    return frozenset((*shown_of(listener), *(id_of(item) for item in trusted if item)))
