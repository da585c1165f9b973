"""From the model to the files that HAProxy reads beside its configuration. Pure."""

from collections.abc import Sequence

from libra.drivers.haproxy.config import Material, Route, TlsBind
from libra.drivers.haproxy.names import encode_name
from libra.model.listener import Listener
from libra.model.policy import RuleType
from libra.model.tls import ClientAuthentication, Tls, TlsVersion
from libra.model.webservice import ROOT

PART = "+"  # between ids, none of which can hold it once encoded
LONGEST_PART = 80  # characters of an id in a file's name, which takes 255
OF_TLS_1_3 = "TLS_"  # begins the names of its ciphers
_VERSIONS = {item: item.value for item in TlsVersion} | {TlsVersion.TLS_1_0: "TLSv1.0"}
_VERIFY = {ClientAuthentication.OPTIONAL: "optional", ClientAuthentication.MANDATORY: "required"}


def build_tls(listener: Listener, tls: Tls) -> TlsBind:
    """A file a certificate, with its key behind it; where no client shows one, there is nothing to check it by."""
    verify = _VERIFY.get(tls.client_authentication)
    return TlsBind(
        certificates=tuple(
            Material(
                _stem("crt", listener, item.id), "pem", item.chain + item.key + (tls.dhparam or "")
            )
            for item in tls.certificates
        ),
        verify=verify,
        client_ca=_optional("ca", listener, tls.client_ca) if verify else None,
        client_crl=_optional("crl", listener, tls.client_crl) if verify else None,
        lenient=verify is not None and _looks_at_result(listener),
        least_version=_VERSIONS[tls.versions[0]] if tls.versions else None,
        last_version=_VERSIONS[tls.versions[-1]] if tls.versions else None,
        ciphers=_chosen(tls, for_1_3=False),
        ciphersuites=_chosen(tls, for_1_3=True),
        alpn=tls.alpn,
    )


def _looks_at_result(listener: Listener) -> bool:
    rules = (rule for policy in listener.policies for rule in policy.rules)
    return any(rule.type is RuleType.SSL_VERIFY_RESULT for rule in rules)


def _chosen(tls: Tls, *, for_1_3: bool) -> str | None:
    """OpenSSL takes those of TLS 1.3 apart from the others, and refuses a list of only these among the others."""
    given = (tls.ciphers or "").split(":")
    chosen = (item for item in given if item and item.startswith(OF_TLS_1_3) == for_1_3)
    return ":".join(chosen) or None


def build_networks(listener: Listener) -> Material:
    """A map whose keys are the networks; its values say nothing."""
    networks = listener.allowed_cidrs
    content = "".join(f"{network} 1\n" for network in networks)
    return Material(_stem("allow", listener), "map", content, networks)


def build_paths(listener: Listener, routes: Sequence[Route]) -> Material | None:
    """A map from paths, with a slash at their end, to their places in `routes`; None where there is nothing to find."""
    lines = [f"{item.path}/ {place}\n" for place, item in enumerate(routes) if item.path != ROOT]
    return Material(_stem("paths", listener), "map", "".join(lines)) if lines else None


def _optional(kind: str, listener: Listener, content: str | None) -> Material | None:
    return Material(_stem(kind, listener), "pem", content) if content is not None else None


def _stem(kind: str, listener: Listener, identity: str = "") -> str:
    """Short enough for a file's name, and without what has a meaning in HAProxy's expressions."""
    names = [encode_name(name, LONGEST_PART) for name in (listener.id, identity) if name]
    return f"{kind}-{PART.join(names)}".replace(":", "_3A")
