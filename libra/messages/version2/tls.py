"""Reads what a 2.0 UPDATE says of TLS. No error quotes what came: keys are among it."""

import re

from libra.errors import Invalid
from libra.messages.fields import Fields, fold
from libra.model.tls import Certificate, ClientAuthentication, MemberTls, Tls, TlsVersion

MAX_PEM = 256 * 1024
MAX_CERTIFICATES = 100
ALPN = ("h2", "http/1.1", "http/1.0")
_BASE64 = r"[A-Za-z0-9+/=\r\n]+"
_SPACE = r"[ \t\r\n]*"
_PEM = _SPACE + r"-----BEGIN {0}-----\r?\n" + _BASE64 + r"-----END {0}-----"
_CHAIN = re.compile(f"(?:{_PEM.format('CERTIFICATE')})+{_SPACE}")
_KEY = re.compile(_PEM.format("(?:RSA |EC |)PRIVATE KEY") + _SPACE)
_CRL = re.compile(f"(?:{_PEM.format('X509 CRL')})+{_SPACE}")
_DH = re.compile(_PEM.format("DH PARAMETERS") + _SPACE)
_CIPHERS = re.compile(r"[A-Za-z0-9_:!+@=-]{1,1024}")


def parse_tls(fields: Fields) -> Tls:
    """The object `tls` of a listener that ends TLS, where it is required."""
    given = fields.nested("tls")
    count = given.count("certificates")
    if not 1 <= count <= MAX_CERTIFICATES:
        raise given.fault("certificates", f"a list of 1 to {MAX_CERTIFICATES} certificates")
    certificates = tuple(_parse_certificate(item) for item in given.objects("certificates"))
    if len({item.id for item in certificates}) != count:
        raise given.fault("certificates", "a list in which every id is another")
    tls = Tls(
        certificates=certificates,
        client_authentication=given.choice(
            "client_authentication", ClientAuthentication, default=ClientAuthentication.NONE
        ),
        client_ca=_optional_pem(given, "client_ca", _CHAIN, "one or more certificates in PEM"),
        client_crl=_optional_pem(given, "client_crl", _CRL, "one or more revocation lists in PEM"),
        versions=_parse_versions(given),
        ciphers=_parse_ciphers(given),
        alpn=_parse_alpn(given),
        dhparam=_optional_pem(given, "dhparam", _DH, "Diffie-Hellman parameters in PEM"),
    )
    if tls.client_ca is None:
        _refuse_without_ca(given, tls)
    return tls


def parse_member_tls(fields: Fields) -> MemberTls:
    """The object `tls` of a pool."""
    given = fields.nested("tls")
    shown = given.optional_nested("certificate")
    tls = MemberTls(
        certificate=_parse_certificate(shown) if shown else None,
        authorities=_optional_pem(given, "ca", _CHAIN, "one or more certificates in PEM"),
        revocations=_optional_pem(given, "crl", _CRL, "one or more revocation lists in PEM"),
        versions=_parse_versions(given),
        ciphers=_parse_ciphers(given),
        alpn=_parse_alpn(given),
    )
    if tls.revocations is not None and tls.authorities is None:
        raise Invalid(f"cannot read {given.where('ca')}: it is required beside crl")
    return tls


def _refuse_without_ca(given: Fields, tls: Tls) -> None:
    if tls.client_authentication is not ClientAuthentication.NONE:
        why = "where clients show a certificate"
    elif tls.client_crl is not None:
        why = "beside client_crl"
    else:
        return
    raise Invalid(f"cannot read {given.where('client_ca')}: it is required {why}")


def _parse_certificate(fields: Fields) -> Certificate:
    identity = fields.identifier()
    if identity is None:
        raise Invalid(f"cannot read {fields.where('id')}: it is required")
    return Certificate(
        id=identity,
        chain=_pem(fields, "certificate", _CHAIN, "one or more certificates in PEM"),
        key=_pem(fields, "key", _KEY, "one private key in PEM, without a password"),
    )


def _pem(fields: Fields, name: str, pattern: re.Pattern[str], must: str) -> str:
    """With the line ends of Unix, and one at the end."""
    value = fields.raw(name)
    if not isinstance(value, str) or len(value) > MAX_PEM or not pattern.fullmatch(value):
        raise Invalid(f"cannot read {fields.where(name)}: it must be {must}")
    lines = (line.strip() for line in value.splitlines())
    return "\n".join(line for line in lines if line) + "\n"


def _optional_pem(fields: Fields, name: str, pattern: re.Pattern[str], must: str) -> str | None:
    return _pem(fields, name, pattern, must) if fields.has(name) else None


def _parse_versions(fields: Fields) -> tuple[TlsVersion, ...]:
    """In their order, each once; without a gap, for HAProxy knows a first and a last one only."""
    if not fields.has("versions"):
        return ()
    known = {item.value.upper(): item for item in TlsVersion}
    items = fields.items("versions")
    given = [known.get(item.upper()) if isinstance(item, str) else None for item in items]
    versions = tuple(item for item in TlsVersion if item in given)
    order = list(TlsVersion)
    if not versions or None in given:
        raise fields.fault("versions", f"a list of {', '.join(item.value for item in order)}")
    first, last = order.index(versions[0]), order.index(versions[-1])
    if last - first + 1 != len(versions):
        raise fields.fault("versions", "a list without a gap")
    return versions


def _parse_ciphers(fields: Fields) -> str | None:
    if not fields.has("ciphers"):
        return None
    ciphers = fields.exact_text("ciphers", longest=1024)
    if not _CIPHERS.fullmatch(ciphers):
        raise fields.fault("ciphers", "names of OpenSSL's ciphers, with colons in between")
    return ciphers


def _parse_alpn(fields: Fields) -> tuple[str, ...]:
    if not fields.has("alpn"):
        return ()
    given = [fold(item) for item in fields.items("alpn") if isinstance(item, str)]
    is_known = len(given) == fields.count("alpn") and all(item in ALPN for item in given)
    if not is_known or len(given) != len(set(given)):
        raise fields.fault("alpn", f"a list of {', '.join(ALPN)}, each once")
    return tuple(given)
