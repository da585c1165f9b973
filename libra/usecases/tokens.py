"""Tokens: made, listed, revoked, and known again by their digest."""

import hashlib
import secrets
from dataclasses import replace
from datetime import datetime

from libra.errors import Invalid, NotFound
from libra.model.access import Caller, Role, Token
from libra.storage.query import EVERYTHING, Query
from libra.usecases.outbox import add_event
from libra.usecases.services import Services, new_id

SECRET_BYTES = 32
LONGEST_SECRET = 512


def create_token(
    services: Services,
    caller: Caller,
    name: str,
    role: Role,
    project_id: str | None = None,
    expires_at: datetime | None = None,
) -> tuple[Token, str]:
    """The token and its secret, which is never to be seen again."""
    if role is Role.MEMBER and not project_id:
        raise Invalid("cannot create the token: a member needs a project")
    secret = secrets.token_urlsafe(SECRET_BYTES)
    return store_token(services, caller, name, role, secret, project_id, expires_at), secret


def store_token(
    services: Services,
    caller: Caller,
    name: str,
    role: Role,
    secret: str,
    project_id: str | None = None,
    expires_at: datetime | None = None,
) -> Token:
    """One whose secret is known already."""
    token = Token(
        id=new_id(),
        name=name,
        digest=hashlib.sha256(secret.encode()).hexdigest(),
        role=role,
        project_id=project_id,
        created_at=services.clock(),
        expires_at=expires_at,
    )
    with services.storage.writing() as unit:
        unit.tokens.add(token)
        add_event(unit, services, caller, "token.created", token.id, reason=f"'{name}'")
    return token


def list_tokens(services: Services, query: Query = EVERYTHING) -> list[Token]:
    """Revoked ones, too."""
    with services.storage.reading() as unit:
        return unit.tokens.find(query)


def revoke_token(services: Services, caller: Caller, key: str) -> Token:
    """From the next request to this process on; see `KnownTokens` for others. Raises `NotFound`."""
    with services.storage.writing() as unit:
        token = unit.tokens.get(key)
        if token is None:
            raise NotFound(f"Token {key} not found.")
        revoked = replace(token, revoked_at=token.revoked_at or services.clock())
        unit.tokens.replace(revoked)
        add_event(unit, services, caller, "token.revoked", key, reason=f"'{token.name}'")
    services.known_tokens.forget()
    return revoked


def find_token(services: Services, digest: str) -> Token | None:
    """Asks the database; None where there is none, or it was revoked."""
    known = Query(where={"digest": digest, "revoked_at": None})
    found = services.storage.look(lambda unit: unit.tokens.find(known))
    return found[0] if found else None


def identify(services: Services, token: Token, name: str | None, request_id: str) -> Caller | None:
    """None where it has expired, or has another name than is given."""
    is_over = token.expires_at is not None and token.expires_at <= services.clock()
    if is_over or name not in (None, token.name):
        return None
    return Caller(
        name=token.name,
        role=token.role,
        project_id=token.project_id,
        request_id=request_id,
        oid=token.id,
    )
