"""From the model to the files that HAProxy reads beside its configuration. Pure."""

from collections.abc import Sequence
from typing import Any

from libra.drivers.haproxy.config import Material, Route, ServerTls, TlsBind
from libra.drivers.haproxy.names import encode_name
from libra.model.listener import Listener
from libra.model.policy import RuleType
from libra.model.pool import Pool
from libra.model.tls import ClientAuthentication, MemberTls, Tls, TlsChoice, TlsVersion
from libra.model.webservice import ROOT

PART = "+"  # between ids, none of which can hold it once encoded
LONGEST_PART = 80  # characters of an id in a file's name, which takes 255
OF_TLS_1_3 = "TLS_"  # begins the names of its ciphers
_VERSIONS = {item: item.value for item in TlsVersion} | {TlsVersion.TLS_1_0: "TLSv1.0"}
_VERIFY = {ClientAuthentication.OPTIONAL: "optional", ClientAuthentication.MANDATORY: "required"}


def build_tls(listener: Listener, tls: Tls) -> TlsBind:
    """A file a certificate, with its key behind it; where no client shows one, there is nothing to check it by."""
    verify = _VERIFY.get(tls.client_authentication)
    owner = listener.id
    return TlsBind(
        certificates=tuple(
            Material(
                _stem("crt", owner, item.id), "pem", item.chain + item.key + (tls.dhparam or "")
            )
            for item in tls.certificates
        ),
        verify=verify,
        client_ca=_optional("ca", owner, tls.client_ca) if verify else None,
        client_crl=_optional("crl", owner, tls.client_crl) if verify else None,
        lenient=verify is not None and _looks_at_result(listener),
        **_chosen_by(tls),
    )


def build_server_tls(pool: Pool, tls: MemberTls) -> ServerTls:
    """Without authorities nothing is asked of members' certificates, and a revocation list says nothing."""
    shown = tls.certificate
    content = shown.chain + shown.key if shown is not None else None
    return ServerTls(
        certificate=_optional("pool-crt", pool.id, content),
        authorities=_optional("pool-ca", pool.id, tls.authorities),
        revocations=_optional("pool-crl", pool.id, tls.revocations) if tls.authorities else None,
        **_chosen_by(tls),
    )


def _chosen_by(tls: TlsChoice) -> dict[str, Any]:
    return {
        "least_version": _VERSIONS[tls.versions[0]] if tls.versions else None,
        "last_version": _VERSIONS[tls.versions[-1]] if tls.versions else None,
        "ciphers": _chosen(tls, for_1_3=False),
        "ciphersuites": _chosen(tls, for_1_3=True),
        "alpn": tls.alpn,
    }


def _looks_at_result(listener: Listener) -> bool:
    rules = (rule for policy in listener.policies for rule in policy.rules)
    return any(rule.type is RuleType.SSL_VERIFY_RESULT for rule in rules)


def _chosen(tls: TlsChoice, *, for_1_3: bool) -> str | None:
    """OpenSSL takes those of TLS 1.3 apart from the others, and refuses a list of only these among the others."""
    given = (tls.ciphers or "").split(":")
    chosen = (item for item in given if item and item.startswith(OF_TLS_1_3) == for_1_3)
    return ":".join(chosen) or None


def build_networks(listener: Listener) -> Material:
    """A map whose keys are the networks; its values say nothing."""
    entries = tuple((network, "1") for network in listener.allowed_cidrs)
    return build_map(_stem("allow", listener.id), entries)


def build_map(stem: str, entries: tuple[tuple[str, str], ...]) -> Material:
    """One whose content can be changed at runtime."""
    return Material(stem, "map", "".join(f"{key} {value}\n" for key, value in entries), entries)


def build_paths(listener: Listener, routes: Sequence[Route]) -> Material | None:
    """A map from paths, with a slash at their end, to their places in `routes`; None where there is nothing to find."""
    lines = [f"{item.path}/ {place}\n" for place, item in enumerate(routes) if item.path != ROOT]
    return Material(_stem("paths", listener.id), "map", "".join(lines)) if lines else None


def _optional(kind: str, owner: str, content: str | None) -> Material | None:
    return Material(_stem(kind, owner), "pem", content) if content is not None else None


def _stem(kind: str, owner: str, identity: str = "") -> str:
    """Short enough for a file's name, and without what has a meaning in HAProxy's expressions."""
    names = [encode_name(name, LONGEST_PART) for name in (owner, identity) if name]
    return f"{kind}-{PART.join(names)}".replace(":", "_3A")
