"""From the model to the files that HAProxy reads beside its configuration. Pure."""

from libra.drivers.haproxy.config import Material, TlsBind
from libra.drivers.haproxy.names import encode_name
from libra.model.listener import Listener
from libra.model.tls import ClientAuthentication, Tls

LONGEST_PART = 80  # characters of an id in a file's name, which takes 255
_VERIFY = {ClientAuthentication.OPTIONAL: "optional", ClientAuthentication.MANDATORY: "required"}


def build_tls(listener: Listener, tls: Tls) -> TlsBind:
    """A file a certificate, with its key behind it."""
    return TlsBind(
        certificates=tuple(
            Material(_stem("crt", listener, item.id), "pem", item.chain + item.key)
            for item in tls.certificates
        ),
        verify=_VERIFY.get(tls.client_authentication),
        client_ca=_optional("ca", listener, tls.client_ca),
        client_crl=_optional("crl", listener, tls.client_crl),
        least_version=tls.versions[0].value if tls.versions else None,
        last_version=tls.versions[-1].value if tls.versions else None,
        ciphers=tls.ciphers,
        alpn=tls.alpn,
    )


def build_networks(listener: Listener) -> Material:
    """A map whose keys are the networks; its values say nothing."""
    networks = listener.allowed_cidrs
    content = "".join(f"{network} 1\n" for network in networks)
    return Material(_stem("allow", listener), "map", content, networks)


def _optional(kind: str, listener: Listener, content: str | None) -> Material | None:
    return Material(_stem(kind, listener), "pem", content) if content is not None else None


def _stem(kind: str, listener: Listener, identity: str = "") -> str:
    """Short enough for a file's name, and without what has a meaning in HAProxy's expressions."""
    names = [encode_name(name, LONGEST_PART) for name in (listener.id, identity) if name]
    return "-".join([kind, *names]).replace(":", "_3A")
