"""Certificates, authorities and revocation lists. No answer holds a key."""

from fastapi import APIRouter, Depends, Request, Response

from libra.api.auth import EVERYBODY, WRITERS, Asking, Given
from libra.api.rendering import WrittenRoute
from libra.api.routers.octavia import Json, answer, find, one, page_of, project_of
from libra.api.schemas.certificates import CertificateBody, MaterialBody
from libra.api.schemas.shown import show_fields
from libra.model.resources.certificate import StoredCertificate
from libra.usecases import certificates

router = APIRouter(prefix="/v1/certificates", tags=["certificates"], route_class=WrittenRoute)
_SHOWN = (
    *("id", "name", "type", "project_id", "subject", "names", "fingerprint", "not_after"),
    *("created_at", "updated_at"),
)


def _show(stored: StoredCertificate) -> Json:
    return show_fields(stored, _SHOWN)


def _material(body: MaterialBody) -> certificates.Given:
    return certificates.Given(
        certificate=body.certificate,
        key=body.key.get_secret_value() if body.key else None,
        pkcs12=body.pkcs12.get_secret_value() if body.pkcs12 else None,
        passphrase=body.passphrase.get_secret_value() if body.passphrase else None,
    )


@router.get("", dependencies=[Depends(EVERYBODY)])
def list_certificates(request: Request, services: Given, caller: Asking) -> Json:
    """Those of the caller's project."""
    page = page_of(request, StoredCertificate, caller)
    with services.storage.reading() as unit:
        rows = find(unit.certificates, page)
    return answer(request, "certificates", rows, [_show(row) for row in rows], page)


@router.post("", status_code=201, dependencies=[Depends(WRITERS)])
def create_certificate(body: CertificateBody, services: Given, caller: Asking) -> Json:
    """Of PEM or PKCS #12; listeners refer to it by its id."""
    name, project = body.name or "", project_of(body)
    stored = certificates.create(services, caller, project, name, body.type, _material(body))
    return {"certificate": _show(stored)}


@router.get("/{certificate_id}", dependencies=[Depends(EVERYBODY)])
def show_certificate(
    request: Request, certificate_id: str, services: Given, caller: Asking
) -> Json:
    """With the public part in PEM."""
    stored = certificates.show(services, caller, certificate_id)
    return one(request, "certificate", {**_show(stored), "certificate": stored.pem})


@router.put("/{certificate_id}", dependencies=[Depends(WRITERS)])
def replace_certificate(
    certificate_id: str, body: MaterialBody, services: Given, caller: Asking
) -> Json:
    """Every listener that uses it shows the new one, without a reload."""
    stored = certificates.renew(services, caller, certificate_id, _material(body))
    return {"certificate": _show(stored)}


@router.delete("/{certificate_id}", status_code=204, dependencies=[Depends(WRITERS)])
def delete_certificate(certificate_id: str, services: Given, caller: Asking) -> Response:
    """Only one that no listener uses."""
    certificates.delete(services, caller, certificate_id)
    return Response(status_code=204)
