"""As much of Keystone's API as its clients need to log in with the name and the secret of a token."""

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import JSONResponse

from libra.api.auth import EVERYBODY, Asking, Given
from libra.api.errors import Unauthorized
from libra.api.rendering import WrittenRoute
from libra.api.schemas import identity as shown
from libra.api.schemas.identity import Json, LoginBody
from libra.errors import Forbidden, NotFound
from libra.model.access import Caller, Role
from libra.usecases import identity

PREFIX = "/identity"
logins = APIRouter(tags=["identity"], route_class=WrittenRoute)
router = APIRouter(prefix=f"{PREFIX}/v3", tags=["identity"], route_class=WrittenRoute)
"""For whom has a token already."""
Subject = Header(alias="X-Subject-Token", min_length=1, max_length=512)


def base_of(request: Request) -> str:
    """Where the client sees the API."""
    return str(request.base_url).rstrip("/")


def list_versions(request: Request) -> JSONResponse:
    """There is one to choose."""
    version = shown.show_identity_version(base_of(request))
    return JSONResponse({"versions": {"values": [version]}}, 300)


def show_version(request: Request) -> Json:
    """Needs no token."""
    return {"version": shown.show_identity_version(base_of(request))}


for path in (PREFIX, f"{PREFIX}/"):
    logins.get(path, include_in_schema=False)(list_versions)
for path in (f"{PREFIX}/v3", f"{PREFIX}/v3/"):
    logins.get(path, include_in_schema=path[-1] != "/")(show_version)


@logins.post(f"{PREFIX}/v3/auth/tokens", status_code=201)
def log_in(request: Request, body: LoginBody, services: Given) -> JSONResponse:
    """The name of a token as the user, its secret as the password: a token that ends soon, in X-Subject-Token."""
    login = body.login()
    issued = identity.issue(services, login, request.app.state.issued_lifetime) if login else None
    if issued is None:
        raise Unauthorized("cannot log in: user, password and project do not belong together")
    return _tell(request, issued, 201)


@router.get("/auth/tokens", dependencies=[Depends(EVERYBODY)])
def show_token(
    request: Request, services: Given, caller: Asking, subject: str = Subject
) -> JSONResponse:
    """One's own; anybody's for administrators."""
    return _tell(request, _find(services, caller, subject), 200)


@router.delete("/auth/tokens", status_code=204, dependencies=[Depends(EVERYBODY)])
def revoke_token(services: Given, caller: Asking, subject: str = Subject) -> Response:
    """It is good for nothing from now on."""
    _find(services, caller, subject)
    identity.take_back(services, subject)
    return Response(status_code=204)


def _tell(request: Request, issued: identity.Issued, status: int) -> JSONResponse:
    headers = {"X-Subject-Token": issued.secret, "Vary": "X-Auth-Token"}
    return JSONResponse(shown.show_issued(issued, base_of(request)), status, headers)


def _find(services: Given, caller: Caller, secret: str) -> identity.Issued:
    issued = identity.show_issued(services, secret)
    if issued is None:
        raise NotFound("cannot find that token: it was not handed out here, or is over")
    if issued.caller.oid != caller.oid and caller.role is not Role.ADMIN:
        raise Forbidden("cannot do that: it is another's token")
    return issued


@router.get("/auth/catalog", dependencies=[Depends(EVERYBODY)])
def show_catalog(request: Request) -> Json:
    """Where everything is."""
    return {"catalog": shown.list_services(base_of(request)), "links": {}}


@router.get("/auth/projects", dependencies=[Depends(EVERYBODY)])
def list_own_projects(caller: Asking) -> Json:
    """Where the caller may act, where that is bounded."""
    keys = [caller.project_id] if caller.project_id is not None else []
    return {"projects": [shown.show_project(key) for key in keys], "links": {}}


@router.get("/projects", dependencies=[Depends(EVERYBODY)])
def find_projects(caller: Asking, name: str = "") -> Json:
    """By name: any name is one, for who may see it. There is no list of all."""
    keys = [name] if name and may_know(caller, name) else []
    return {"projects": [shown.show_project(key) for key in keys], "links": {}}


@router.get("/projects/{project_id}", dependencies=[Depends(EVERYBODY)])
def show_project(project_id: str, caller: Asking) -> Json:
    """One that is asked for exists."""
    if not may_know(caller, project_id):
        raise Forbidden("cannot show it: it is another project")
    return {"project": shown.show_project(project_id)}


def may_know(caller: Caller, project: str) -> bool:
    """Its own, where it is bound to one."""
    return caller.sees_everything or caller.project_id == project
