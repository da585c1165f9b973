"""Request bodies with certificates and keys, which are in no repr."""

from typing import Annotated

from pydantic import ConfigDict, Field, SecretStr

from libra.api.schemas.types import Body, Text
from libra.model.resources.certificate import CertificateType
from libra.usecases.pem import MOST_CHARACTERS

Secret = Annotated[SecretStr, Field(min_length=1, max_length=MOST_CHARACTERS)]


class MaterialBody(Body):
    """`certificate` and `key` in PEM, or `pkcs12` in base64; `passphrase` where it is encrypted."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=MOST_CHARACTERS)

    certificate: str | None = None
    key: Secret | None = None
    pkcs12: Secret | None = None
    passphrase: Annotated[SecretStr, Field(max_length=1024)] | None = None


class CertificateBody(MaterialBody):
    """`type` crl and ca are for the authentication of clients, and have no key."""

    name: Text | None = None
    type: CertificateType = CertificateType.CERTIFICATE
    project_id: Text | None = None
    tenant_id: Text | None = None
