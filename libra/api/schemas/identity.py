"""Logins as Keystone's clients send them, and what they are answered. Pure."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from libra.model.access import Caller
from libra.usecases.identity import Issued, Login

Json = dict[str, Any]
DOMAIN = {"id": "default", "name": "Default"}
VERSION = "v3.14"
UPDATED = "2020-04-07T00:00:00Z"
_MEDIA_TYPE = {"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}


class Given(BaseModel):
    """Part of a login. What is not known is not needed."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class DomainBody(Given):
    """There is one."""

    id: str | None = Field(default=None, max_length=255)
    name: str | None = Field(default=None, max_length=255)

    @property
    def is_ours(self) -> bool:
        """As Keystone, by the exact id, and by the name in any case."""
        by_name = self.name is None or self.name.casefold() == DOMAIN["name"].casefold()
        return by_name and self.id in (None, DOMAIN["id"])


class ProjectBody(Given):
    """A project is named as it is called."""

    id: str | None = Field(default=None, min_length=1, max_length=255)
    name: str | None = Field(default=None, min_length=1, max_length=255)
    domain: DomainBody = DomainBody()


class UserBody(ProjectBody):
    """A token's name or id, and its secret."""

    password: str = Field(repr=False)


class PasswordBody(Given):
    """The method."""

    user: UserBody


class IdentityBody(Given):
    """How a caller proves who it is."""

    methods: tuple[Literal["password"]]
    password: PasswordBody


class ScopeBody(Given):
    """Where it wants to act."""

    project: ProjectBody | None = None


class AuthBody(Given):
    """Both."""

    identity: IdentityBody
    scope: ScopeBody | Literal["unscoped"] = ScopeBody()


class LoginBody(Given):
    """The envelope."""

    auth: AuthBody

    def login(self) -> Login | None:
        """None where it is of another domain than ours."""
        user = self.auth.identity.password.user
        scope = self.auth.scope if isinstance(self.auth.scope, ScopeBody) else ScopeBody()
        project = scope.project
        if not user.domain.is_ours or not (project is None or project.domain.is_ours):
            return None
        return Login(
            name=user.name,
            key=user.id,
            secret=user.password,
            project=(project.id or project.name) if project else None,
        )


def show_identity_version(base: str) -> Json:
    """What is looked for before a login."""
    return {
        "id": VERSION,
        "status": "stable",
        "updated": UPDATED,
        "links": [{"rel": "self", "href": f"{base}/identity/v3/"}],
        "media-types": [_MEDIA_TYPE],
    }


def show_project(key: str) -> Json:
    """It is called as it is named."""
    return {
        "id": key,
        "name": key,
        "enabled": True,
        "domain_id": DOMAIN["id"],
        "parent_id": DOMAIN["id"],
        "is_domain": False,
        "description": "",
        "options": {},
        "tags": [],
    }


def show_issued(issued: Issued, base: str) -> Json:
    """With where everything is."""
    caller = issued.caller
    shown: Json = {
        "methods": ["password"],
        "user": {
            "id": caller.oid,
            "name": caller.name,
            "domain": DOMAIN,
            "password_expires_at": None,
        },
        "audit_ids": [],
        "issued_at": _moment(issued.issued_at),
        "expires_at": _moment(issued.expires_at),
        "is_domain": False,
        "roles": list_roles(caller),
        "catalog": list_services(base),
    }
    if caller.project_id is not None:
        shown["project"] = {"id": caller.project_id, "name": caller.project_id, "domain": DOMAIN}
    return {"token": shown}


def list_roles(caller: Caller) -> list[Json]:
    """Its one."""
    return [{"id": caller.role.value, "name": caller.role.value}]


def list_services(base: str) -> list[Json]:
    """Who is asked for load balancers looks up networks, which are address pools here, and projects, too."""
    places = (
        ("load-balancer", "octavia", "/load-balancer"),
        ("network", "neutron", "/load-balancer"),
        ("identity", "keystone", "/identity"),
        ("block-storage", "cinder", "/volume/v3"),
    )
    return [
        {
            "id": kind,
            "type": kind,
            "name": name,
            "endpoints": [_endpoint(kind, f"{base}{path}", face) for face in _FACES],
        }
        for kind, name, path in places
    ]


_FACES = ("public", "internal", "admin")


def _endpoint(kind: str, url: str, face: str) -> Json:
    region = {"region": "libra", "region_id": "libra"}
    return {"id": f"{kind}-{face}", "interface": face, "url": url, **region}


def _moment(value: datetime) -> str:
    return f"{value.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
