"""What a listener that ends TLS shows and trusts: certificates with keys, authorities, revocation lists."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


class CertificateType(Enum):
    """What is in it."""

    CERTIFICATE = "certificate"
    AUTHORITIES = "ca"
    REVOCATIONS = "crl"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCertificate:
    """`pem` is public: the chain, certificate first; authorities; or revocation lists. `sealed` is the key, encrypted.

    `names` are the host names and addresses that it is for. `fingerprint` is SHA-256 in hexadecimal of the first.
    `not_after` is the earliest end of any of it.
    """

    id: str
    project_id: str
    name: str = ""
    type: CertificateType = CertificateType.CERTIFICATE
    pem: str = field(repr=False)
    sealed: str = field(default="", repr=False)
    subject: str = ""
    names: tuple[str, ...] = ()
    fingerprint: str = ""
    not_after: datetime | None = None
    created_at: datetime
    updated_at: datetime | None = None
