"""A certificate authority for tests, with openssl."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs import find_program

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


@dataclass(frozen=True)
class Certificate:
    """PEM files; `both` holds certificate and key, as HAProxy wants it."""

    cert: Path
    key: Path
    both: Path


class Authority:
    """Signs certificates; `ca` is what the other side must know."""

    def __init__(self, directory: Path, name: str = "test-ca") -> None:
        find_program("openssl", package="openssl")
        self._directory = directory / name
        self._directory.mkdir()
        self.ca = self._directory / "ca.pem"
        self._key = self._directory / "ca.key"
        _openssl(
            *("req", "-x509", *CURVE, "-nodes", "-days", "3", "-subj", f"/CN={name}"),
            *("-keyout", str(self._key), "-out", str(self.ca)),
        )

    def issue(self, name: str, *, names: str = "DNS:localhost,IP:127.0.0.1") -> Certificate:
        """A certificate for both roles; `names` is its subjectAltName."""
        stem = self._directory / name
        cert, key, both = (stem.with_suffix(suffix) for suffix in (".pem", ".key", ".both"))
        request, extensions = stem.with_suffix(".csr"), stem.with_suffix(".ext")
        _openssl(
            *("req", *CURVE, "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", str(key), "-out", str(request)),
        )
        extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n")
        _openssl(
            *("x509", "-req", "-in", str(request), "-CA", str(self.ca), "-CAkey", str(self._key)),
            *("-CAcreateserial", "-days", "3", "-extfile", str(extensions), "-out", str(cert)),
        )
        both.write_text(cert.read_text() + key.read_text())
        return Certificate(cert, key, both)

    def revoke(self, *certificates: Certificate) -> str:
        """A revocation list in PEM that holds these."""
        database = self._directory / "index.txt"
        database.write_text("".join(map(_revoked, certificates)))
        settings = self._directory / "ca.cnf"
        settings.write_text(
            f"[ca]\ndefault_ca = own\n[own]\ndatabase = {database}\ndefault_md = sha256\n"
            "default_crl_days = 3\n"
        )
        crl = self._directory / "crl.pem"
        signing = ("-keyfile", str(self._key), "-cert", str(self.ca))
        _openssl("ca", "-gencrl", "-config", str(settings), *signing, "-out", str(crl))
        return crl.read_text()


def _revoked(certificate: Certificate) -> str:
    """Its line in openssl's database of revoked ones."""
    said = subprocess.run(
        ["openssl", "x509", "-in", str(certificate.cert), "-noout", "-serial"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return f"R\t491231235959Z\t250101000000Z\t{said.strip().split('=')[1]}\tunknown\t/CN=any\n"


def encrypt_key(key: Path) -> Path:
    """A copy of a private key that needs a password."""
    encrypted = key.with_suffix(".encrypted")
    _openssl("ec", "-in", str(key), "-aes256", "-passout", "pass:secret", "-out", str(encrypted))
    return encrypted


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=30)
