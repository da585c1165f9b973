"""What a web cluster shows and trusts, out of what was given. No error quotes what came: keys are among it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from libra.errors import Invalid, InvalidConfiguration
from libra.model.resources.certificate import CertificateType, StoredCertificate
from libra.model.webcluster import WebCluster
from libra.model.webdefinition import TLS_FIELDS, WebTls
from libra.storage.base import UnitOfWork
from libra.usecases.dhparam import parse_dhparam
from libra.usecases.pem import (
    parse_authorities,
    parse_pair,
    read_certificates,
)
from libra.usecases.services import Services

_STORED = ""  # the key is that of the stored certificate


def is_stored(certificate: str | None) -> bool:
    """True for the id of a stored certificate, rather than PEM."""
    return certificate is not None and "-----BEGIN" not in certificate


def apply_tls(
    unit: UnitOfWork, services: Services, cluster: WebCluster, given: Mapping[str, Any]
) -> tuple[WebCluster, WebTls | None]:
    """With what is `given` of `TLS_FIELDS`, of which the key is still in the clear; and what nodes are told of that.

    Raises `InvalidConfiguration` for whatever a node would refuse.
    """
    try:
        return _apply(unit, services, cluster, given)
    except InvalidConfiguration:
        raise
    except Invalid as error:
        raise InvalidConfiguration(str(error)) from None


def _apply(
    unit: UnitOfWork, services: Services, cluster: WebCluster, given: Mapping[str, Any]
) -> tuple[WebCluster, WebTls | None]:
    kept = {name: getattr(cluster, name) for name in TLS_FIELDS if name != "tls_key"}
    goes = "tls_certificate" in given and given["tls_certificate"] is None
    merged = {**(dict.fromkeys(kept) if goes else kept), **given}
    certificate = merged["tls_certificate"]
    if certificate is None:
        _ensure_nothing_else(merged)
        nothing: dict[str, Any] = dict.fromkeys(TLS_FIELDS)
        return replace(cluster, **nothing), None
    if is_stored(certificate):
        filled = replace(cluster, **_stored_fields(unit, cluster, merged, given))
        return filled, _with_trust(filled, _stored_tls(unit, filled), services)
    fields, tls = _pair_fields(services, merged, _key_of(services, cluster, given))
    filled = replace(cluster, **fields)
    return filled, _with_trust(filled, tls, services)


def _key_of(services: Services, cluster: WebCluster, given: Mapping[str, Any]) -> str | None:
    """In the clear."""
    if "tls_key" in given:
        key: str | None = given["tls_key"]
        return key
    return services.sealer.unseal(cluster.tls_key) if cluster.tls_key else None


def _ensure_nothing_else(merged: Mapping[str, Any]) -> None:
    others = [name for name in TLS_FIELDS if merged.get(name) is not None]
    if others:
        raise InvalidConfiguration(f"cannot use {others[0]} without tls_certificate")


def _stored_fields(
    unit: UnitOfWork, cluster: WebCluster, merged: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """It has its own key and chain; those of PEM before it go."""
    reference = merged["tls_certificate"]
    if given.get("tls_key") not in (None, reference) or given.get("tls_chain_certificates"):
        raise InvalidConfiguration(
            "cannot use tls_key and tls_chain_certificates: a stored certificate has its own; leave them out"
        )
    find_stored(unit, cluster.project_id, reference)
    own = {"tls_certificate": reference, "tls_key": _STORED, "tls_chain_certificates": None}
    return {**_others(merged), **own}


def find_stored(unit: UnitOfWork, project: str, key: str) -> StoredCertificate:
    """Raises `InvalidConfiguration` for another project's, and for one without a key."""
    found = unit.certificates.get(key)
    if found is None or found.project_id != project:
        raise InvalidConfiguration(
            "cannot use tls_certificate: it is neither PEM nor the id of a stored certificate"
        )
    if found.type is not CertificateType.CERTIFICATE:
        raise InvalidConfiguration(
            f"cannot use tls_certificate: {key} is of the type {found.type.value}"
        )
    return found


def _stored_tls(unit: UnitOfWork, cluster: WebCluster) -> WebTls:
    """Its key is encrypted already, by the same vault."""
    found = find_stored(unit, cluster.project_id, cluster.tls_certificate or "")
    return WebTls(chain=found.pem, sealed=found.sealed)


def _pair_fields(
    services: Services, merged: Mapping[str, Any], key: str | None
) -> tuple[dict[str, Any], WebTls]:
    """As they are stored, the key encrypted."""
    if key is None or is_stored(key):
        raise InvalidConfiguration("cannot use tls_certificate without tls_key, in PEM")
    leaf, chain = read_certificates(merged["tls_certificate"]), merged["tls_chain_certificates"]
    links = None if chain is None else _read_all(chain)
    parsed = parse_pair("".join((leaf, *(links or ()))), key, None, services.clock())
    sealed = services.sealer.seal(parsed.key)
    own = {"tls_certificate": leaf, "tls_chain_certificates": links, "tls_key": sealed}
    return {**_others(merged), **own}, WebTls(chain=parsed.pem, sealed=sealed)


def _others(merged: Mapping[str, Any]) -> dict[str, Any]:
    authorities, dhparam = merged["tls_ca_certificates"], merged["tls_dhparam"]
    return {
        "tls_ca_certificates": None if authorities is None else _read_all(authorities),
        "tls_dhparam": None if dhparam is None else parse_dhparam(dhparam),
        "tls_ciphers": merged["tls_ciphers"],
    }


def _read_all(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(read_certificates, texts))


def _with_trust(cluster: WebCluster, tls: WebTls, services: Services) -> WebTls:
    """An empty list of authorities is none."""
    trusted = "".join(cluster.tls_ca_certificates or ())
    if trusted:
        parse_authorities(trusted, services.clock())
    return replace(
        tls,
        client_ca=trusted or None,
        dhparam=cluster.tls_dhparam,
        ciphers=cluster.tls_ciphers,
    )


def refresh_tls(unit: UnitOfWork, cluster: WebCluster, tls: WebTls | None) -> WebTls | None:
    """As it is, but for a stored certificate, which is read anew and locked until the end of the transaction."""
    if tls is None or not is_stored(cluster.tls_certificate):
        return tls
    unit.hold(f"certificates {cluster.project_id}")
    stored = _stored_tls(unit, cluster)
    return replace(tls, chain=stored.chain, sealed=stored.sealed)
