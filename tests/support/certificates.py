"""A certificate authority for tests. In this process: some tests want dozens of certificates."""

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=3)
ROLES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


@dataclass(frozen=True)
class Certificate:
    """PEM files; `both` holds certificate and key, as HAProxy wants it."""

    cert: Path
    key: Path
    both: Path


class Authority:
    """Signs certificates; `ca` is what the other side must know."""

    def __init__(self, directory: Path, name: str = "test-ca") -> None:
        self._directory = directory / name
        self._directory.mkdir()
        self.ca = self._directory / "ca.pem"
        self._name, self._key = _subject(name), ec.generate_private_key(ec.SECP256R1())
        public = self._key.public_key()
        marked = (
            _begin(self._name, public)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )
        self.ca.write_bytes(self._sign(marked))

    def issue(self, name: str, *, names: str = "DNS:localhost,IP:127.0.0.1") -> Certificate:
        """A certificate for both roles; `names` is its subjectAltName."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = x509.SubjectAlternativeName(map(_alternative, names.split(",")))
        built = (
            _begin(_subject(name), key.public_key())
            .add_extension(alternatives, critical=False)
            .add_extension(x509.ExtendedKeyUsage(ROLES), critical=False)
        )
        stem = self._directory / name
        made = Certificate(*(stem.with_suffix(suffix) for suffix in (".pem", ".key", ".both")))
        made.cert.write_bytes(self._sign(built))
        made.key.write_bytes(_private(key))
        made.both.write_bytes(made.cert.read_bytes() + made.key.read_bytes())
        return made

    def revoke(self, *certificates: Certificate) -> str:
        """A revocation list in PEM that holds these."""
        now = datetime.now(UTC)
        built = x509.CertificateRevocationListBuilder(self._name, now, now + LIFETIME)
        for certificate in certificates:
            serial = x509.load_pem_x509_certificate(certificate.cert.read_bytes()).serial_number
            entry = x509.RevokedCertificateBuilder(serial, datetime(2025, 1, 1, tzinfo=UTC))
            built = built.add_revoked_certificate(entry.build())
        signed = built.sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM).decode()

    def _sign(self, built: x509.CertificateBuilder) -> bytes:
        signed = built.issuer_name(self._name).sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)


def _begin(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + LIFETIME)
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(text: str) -> x509.GeneralName:
    kind, _, value = text.partition(":")
    return x509.IPAddress(ip_address(value)) if kind == "IP" else x509.DNSName(value)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def encrypt_key(key: Path) -> Path:
    """A copy of a private key that needs a password."""
    encrypted = key.with_suffix(".encrypted")
    _openssl("ec", "-in", str(key), "-aes256", "-passout", "pass:secret", "-out", str(encrypted))
    return encrypted


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=30)
