"""TLS as a listener ends it: certificates, and what clients may speak and show."""

from dataclasses import dataclass, field
from enum import Enum


class TlsVersion(Enum):
    """What a client may negotiate."""

    TLS_1_0 = "TLSv1"
    TLS_1_1 = "TLSv1.1"
    TLS_1_2 = "TLSv1.2"
    TLS_1_3 = "TLSv1.3"


class ClientAuthentication(Enum):
    """Whether clients show a certificate."""

    NONE = "NONE"
    OPTIONAL = "OPTIONAL"
    MANDATORY = "MANDATORY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """`id` is unique in its listener; `chain` and `key` are PEM, the certificate first. The key is in no repr."""

    id: str
    chain: str = field(repr=False)
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsChoice:
    """What is spoken: `versions` empty and `ciphers` None leave the proxy's defaults."""

    versions: tuple[TlsVersion, ...] = ()
    ciphers: str | None = None
    alpn: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberTls(TlsChoice):
    """TLS as a pool's members are spoken to; the rest is PEM.

    They are shown `certificate`, where it is given, and must show one that one of `authorities` signed, where these
    are. The name in it counts only where the client asked for one in a handshake of its own.
    """

    certificate: Certificate | None = None
    authorities: str | None = field(default=None, repr=False)
    revocations: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls(TlsChoice):
    """The first certificate is for clients that ask for no name that another one has.

    `client_ca`, `client_crl` and `dhparam` are PEM.
    """

    certificates: tuple[Certificate, ...]
    client_authentication: ClientAuthentication = ClientAuthentication.NONE
    client_ca: str | None = field(default=None, repr=False)
    client_crl: str | None = field(default=None, repr=False)
    dhparam: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StrictTransport:
    """What HSTS tells browsers; `max_age` in seconds."""

    max_age: int
    include_subdomains: bool = False
    preload: bool = False
