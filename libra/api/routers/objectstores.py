"""Projects' accounts at object stores. No answer holds a key or a token."""

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from libra.api.auth import EVERYBODY, WRITERS, Asking, Given
from libra.api.rendering import WrittenRoute
from libra.api.routers.octavia import Json, answer, find, one, page_of
from libra.api.schemas.objectstores import ObjectStoreBody
from libra.api.schemas.shown import show_fields
from libra.errors import Invalid
from libra.messages.fields import has_control_characters
from libra.model.objectstore import Credentials, ObjectStoreAccount
from libra.usecases import objectstores

router = APIRouter(
    prefix="/v1/objectstores", tags=["object-store accounts"], route_class=WrittenRoute
)
_SHOWN = (
    *("id", "project_id", "store", "auth_url", "auth_version", "user", "domain", "region"),
    *("endpoint", "refreshed_at", "expires_at", "created_at", "updated_at"),
)
LONGEST_PROJECT = 255


def show_account(account: ObjectStoreAccount) -> Json:
    """Without its secrets."""
    return show_fields(account, _SHOWN)


@router.get("", dependencies=[Depends(EVERYBODY)])
def list_accounts(request: Request, services: Given, caller: Asking) -> Json:
    """That of the caller's project; of every project for who may see them."""
    page = page_of(request, ObjectStoreAccount, caller, strict=True)
    with services.storage.reading() as unit:
        rows = find(unit.object_stores, page)
    return answer(request, "objectstores", rows, [show_account(row) for row in rows], page)


@router.get("/{project_id:path}", dependencies=[Depends(EVERYBODY)])
def show_one(request: Request, project_id: str, services: Given, caller: Asking) -> Json:
    """A project's."""
    account = objectstores.show(services, caller, project_id)
    return one(request, "objectstore", show_account(account))


@router.put("/{project_id:path}", dependencies=[Depends(WRITERS)])
def put_account(
    project_id: str, body: ObjectStoreBody, services: Given, caller: Asking
) -> Response:
    """The store is asked for a token at once: 502 with its words where it refuses, and nothing is stored."""
    if not project_id or len(project_id) > LONGEST_PROJECT or has_control_characters(project_id):
        raise Invalid("cannot use the project: it must be 1 to 255 characters, none of control")
    given = Credentials(
        auth_url=body.auth_url,
        auth_version=body.auth_version,
        user=body.user,
        key=body.key.get_secret_value(),
        domain=body.domain,
        region=body.region,
    )
    account, is_new = objectstores.put(services, caller, project_id, body.store, given)
    return JSONResponse({"objectstore": show_account(account)}, 201 if is_new else 200)


@router.delete("/{project_id:path}", status_code=204, dependencies=[Depends(WRITERS)])
def delete_account(project_id: str, services: Given, caller: Asking) -> Response:
    """Jobs that have its token keep it."""
    objectstores.delete(services, caller, project_id)
    return Response(status_code=204)
