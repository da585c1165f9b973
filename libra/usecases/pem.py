"""Reads certificates, keys, authorities and revocation lists. No error quotes what came: keys are among it.

What a device would refuse is refused here: a renewal reaches every listener that uses the certificate.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from libra.errors import Invalid

if TYPE_CHECKING:
    from cryptography import x509

MOST_CHARACTERS = 256 * 1024
MOST_IN_CHAIN = 20
LEAST_RSA_BITS, MOST_RSA_BITS = 2048, 8192
LEAST_EC_BITS = 224  # of an issuer; the 112 bits of security that OpenSSL's level 2, which Debian sets, asks for
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_HASHES = (None, "sha224", "sha256", "sha384", "sha512")
"""What OpenSSL knows the strength of; none is Ed25519's."""
_ODD_LIST = re.compile(r"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """`pem` and `key` as they are stored: nothing but what was understood."""

    pem: str
    key: str = field(default="", repr=False)
    subject: str
    names: tuple[str, ...] = ()
    fingerprint: str
    not_after: datetime | None


def parse_pair(chain: str, key: str, passphrase: str | None, now: datetime) -> Parsed:
    """A certificate with the chain behind it, and its key, all in PEM. Raises `Invalid`."""
    return _pair(_load_certificates(chain), _load_key(key, passphrase), now)


def parse_pkcs12(encoded: str, passphrase: str | None, now: datetime) -> Parsed:
    """The same out of a PKCS #12 file in base64. Raises `Invalid`."""
    from cryptography.hazmat.primitives.serialization import pkcs12

    try:
        data = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("cannot read pkcs12: it must be base64") from None
    try:
        key, first, others = pkcs12.load_key_and_certificates(data, _password(passphrase))
    except Exception:  # noqa: BLE001 - whatever the library makes of hostile bytes; its words may quote them
        raise Invalid(
            "cannot read pkcs12: it is no PKCS #12 file, or the passphrase is another"
        ) from None
    if first is None or key is None:
        raise Invalid("cannot use pkcs12: it must hold a certificate and its key")
    return _pair(_in_order([first, *others]), key, now)


def parse_authorities(text: str, now: datetime) -> Parsed:
    """One or more certificates in any order. Raises `Invalid`."""
    found = _load_certificates(text)
    if all(item.not_valid_after_utc <= now for item in found):
        raise Invalid("cannot take the authorities: all of them have expired")
    return _parsed(found)


def read_certificates(text: str) -> str:
    """One or more certificates in PEM, without whatever else stood there. Raises `Invalid`."""
    return _parsed(_load_certificates(text)).pem


def parse_revocations(text: str) -> Parsed:
    """One or more revocation lists in PEM. Raises `Invalid`."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    _ensure_size("certificate", text)
    try:
        lists = [x509.load_pem_x509_crl(part.encode()) for part in _ODD_LIST.findall(text)]
        pem = "".join(item.public_bytes(Encoding.PEM).decode() for item in lists)
        subjects = [item.issuer.rfc4514_string() for item in lists]
        ends = [item.next_update_utc for item in lists if item.next_update_utc is not None]
    except Exception:  # noqa: BLE001 - as above
        raise Invalid("cannot read certificate: it holds a broken revocation list") from None
    if not lists:
        raise Invalid("cannot read certificate: it must be one or more revocation lists in PEM")
    _ensure_size("certificate", pem)
    return Parsed(
        pem=pem,
        subject=subjects[0],
        fingerprint=lists[0].fingerprint(hashes.SHA256()).hex(),
        not_after=min(ends, default=None),
    )


def _pair(chain: "Sequence[x509.Certificate]", key: Any, now: datetime) -> Parsed:
    from dataclasses import replace

    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    _ensure_strength(key)
    for number, item in enumerate(chain, 1):
        _ensure_shown(number, item)
    if _public_bytes(key.public_key()) != _public_bytes(chain[0].public_key()):
        raise Invalid("cannot use the key: it does not belong to the certificate, the first one")
    _ensure_chain(chain)
    for number, item in enumerate(chain, 1):
        if item.not_valid_after_utc <= now:
            end = item.not_valid_after_utc.isoformat(timespec="seconds")
            raise Invalid(f"cannot take certificate {number} of the chain: it expired at {end}")
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return replace(_parsed(chain), key=text)


def _load_certificates(text: str) -> "list[x509.Certificate]":
    from cryptography import x509

    _ensure_size("certificate", text)
    try:
        found = x509.load_pem_x509_certificates(text.encode())
    except Exception:  # noqa: BLE001 - as above
        raise Invalid(
            "cannot read certificate: it must be one or more certificates in PEM"
        ) from None
    return found


def _load_key(text: str, passphrase: str | None) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    _ensure_size("key", text)
    try:
        return load_pem_private_key(text.encode(), _password(passphrase))
    except TypeError:
        said = "it is encrypted: give its passphrase" if not passphrase else "it is not encrypted"
        raise Invalid(f"cannot read key: {said}") from None
    except Exception:  # noqa: BLE001 - as above
        raise Invalid(
            "cannot read key: it must be one private key in PEM"
            + (", and the passphrase its own" if passphrase else "")
        ) from None


def _password(passphrase: str | None) -> bytes | None:
    return passphrase.encode() if passphrase else None


def _ensure_size(name: str, text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise Invalid(f"cannot read {name}: it is longer than {MOST_CHARACTERS} characters")


def _ensure_strength(key: Any) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, rsa.RSAPrivateKey):
        if not LEAST_RSA_BITS <= key.key_size <= MOST_RSA_BITS:
            raise Invalid(
                f"cannot use the key: RSA must have {LEAST_RSA_BITS} to {MOST_RSA_BITS} bits, "
                f"this has {key.key_size}"
            )
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        if key.curve.name not in _CURVES:
            raise Invalid(f"cannot use the key: its curve must be one of {', '.join(_CURVES)}")
    elif not isinstance(key, ed25519.Ed25519PrivateKey):
        raise Invalid("cannot use the key: it must be RSA, EC or Ed25519")


def _ensure_shown(number: int, certificate: "x509.Certificate") -> None:
    """OpenSSL shows no chain with a weak key or signature in it, but does not look at what signs itself."""
    from cryptography.exceptions import UnsupportedAlgorithm

    which = f"certificate {number} of the chain"
    try:
        _ensure_public_key(which, certificate)
        algorithm = certificate.signature_hash_algorithm
    except (UnsupportedAlgorithm, ValueError):
        raise Invalid(f"cannot use {which}: its key or signature is of an unknown kind") from None
    name = algorithm.name if algorithm is not None else None
    signs_itself = number > 1 and certificate.issuer == certificate.subject
    if name not in _HASHES and not signs_itself:
        raise Invalid(f"cannot use {which}: it is signed with {name}")


def _ensure_public_key(which: str, certificate: "x509.Certificate") -> None:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import PublicKeyAlgorithmOID

    key = certificate.public_key()
    # the library writes its key as one for any kind of signature, which no longer belongs to it
    if certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS:
        raise Invalid(f"cannot use {which}: its key is for RSASSA-PSS only")
    if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        least = LEAST_RSA_BITS if isinstance(key, rsa.RSAPublicKey) else LEAST_EC_BITS
        if key.key_size < least:
            raise Invalid(f"cannot use {which}: its key has {key.key_size} bits, not {least}")


def _ensure_chain(chain: "Sequence[x509.Certificate]") -> None:
    if len(chain) > MOST_IN_CHAIN:
        raise Invalid(f"cannot use the chain: it must hold at most {MOST_IN_CHAIN} certificates")
    for number, (one, issuer) in enumerate(pairwise(chain), 1):
        if not _has_issued(issuer, one):
            raise Invalid(
                f"cannot use the chain: certificate {number + 1} has not issued certificate {number}"
            )


def _has_issued(issuer: "x509.Certificate", one: "x509.Certificate") -> bool:
    try:
        one.verify_directly_issued_by(issuer)
    except Exception:  # noqa: BLE001 - a broken signature, or a kind that the library does not know
        return False
    return True


def _in_order(found: "Sequence[x509.Certificate]") -> "list[x509.Certificate]":
    """A file of PKCS #12 has none."""
    chain, others = [found[0]], list(found[1:])
    while issuer := next((item for item in others if _has_issued(item, chain[-1])), None):
        others.remove(issuer)
        chain.append(issuer)
    return [*chain, *others]


def _parsed(found: "Sequence[x509.Certificate]") -> Parsed:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    pem = "".join(item.public_bytes(Encoding.PEM).decode() for item in found)
    _ensure_size("certificate", pem)  # lines may have been longer
    try:
        return Parsed(
            pem=pem,
            subject=found[0].subject.rfc4514_string(),
            names=_names(found[0]),
            fingerprint=found[0].fingerprint(hashes.SHA256()).hex(),
            not_after=min(item.not_valid_after_utc for item in found),
        )
    except ValueError:
        raise Invalid("cannot read certificate: it has a field that is no good X.509") from None


def _names(certificate: "x509.Certificate") -> tuple[str, ...]:
    from cryptography import x509

    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    hosts = extension.value.get_values_for_type(x509.DNSName)
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    return (*hosts, *map(str, addresses))


def _public_bytes(key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    data: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return data
