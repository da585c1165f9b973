"""Tokens for a while, for who gives a token's name and secret as a user and a password."""

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from libra.model.access import Caller, IssuedToken, Token
from libra.usecases.services import Services
from libra.usecases.tokens import LONGEST_SECRET, SECRET_BYTES, find_token, identify


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What a client gives: one of name and id, a secret, and the project to act in, if any."""

    name: str | None = None
    key: str | None = None
    secret: str
    project: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A token for a while; `secret` is never to be seen again."""

    secret: str
    caller: Caller
    issued_at: datetime
    expires_at: datetime


def issue(services: Services, login: Login, lifetime: timedelta) -> Issued | None:
    """None where the login is of nobody, or of one who may not act in that project."""
    token = _check(services, login)
    if token is None:
        return None
    now = services.clock()
    secret = secrets.token_urlsafe(SECRET_BYTES)
    issued = IssuedToken(
        digest=_digest(secret),
        token_id=token.id,
        project_id=login.project,
        issued_at=now,
        expires_at=min(now + lifetime, token.expires_at or now + lifetime),
    )
    with services.storage.writing() as unit:
        unit.issued_tokens.prune(now)
        unit.issued_tokens.add(issued)
    caller = identify(services, stand_in(token, issued), None, "")
    assert caller is not None
    return Issued(secret=secret, caller=caller, issued_at=now, expires_at=issued.expires_at)


def _check(services: Services, login: Login) -> Token | None:
    if not login.secret or len(login.secret) > LONGEST_SECRET:
        return None
    token = find_token(services, _digest(login.secret))
    if token is None or login.key not in (None, token.id):
        return None
    caller = identify(services, token, login.name, "")
    if caller is None or (login.name is None and login.key is None):
        return None
    may_act = caller.sees_everything or login.project in (None, token.project_id)
    return token if may_act else None


def look_for_token(services: Services, digest: str) -> Token | None:
    """Asks the database, for one that is not known: a token, or what an issued one stands for; else None."""
    find = lambda digest: find_token(services, digest) or look_for_issued(services, digest)  # noqa: E731
    return services.known_tokens.look(digest, find)


def look_for_issued(services: Services, digest: str) -> Token | None:
    """As the token that it stands for; None where there is none, or that one was revoked."""
    with services.storage.reading() as unit:
        issued = unit.issued_tokens.get(digest)
        token = unit.tokens.get(issued.token_id) if issued else None
    if issued is None or token is None or token.revoked_at is not None:
        return None
    return stand_in(token, issued)


def stand_in(token: Token, issued: IssuedToken) -> Token:
    """Pure: what a caller is by an issued token. A project that it was asked for binds readers of everything, too."""
    return replace(
        token,
        project_id=issued.project_id or token.project_id,
        expires_at=issued.expires_at,
    )


def show_issued(services: Services, secret: str) -> Issued | None:
    """What a secret that was handed out is good for; None where it is for nothing, or is a token's own."""
    digest = _digest(secret)
    with services.storage.reading() as unit:
        issued = unit.issued_tokens.get(digest)
    token = look_for_issued(services, digest)
    caller = identify(services, token, None, "") if token else None
    if issued is None or caller is None:
        return None
    return Issued(
        secret=secret, caller=caller, issued_at=issued.issued_at, expires_at=issued.expires_at
    )


def take_back(services: Services, secret: str) -> None:
    """It is good for nothing from now on. Idempotent."""
    with services.storage.writing() as unit:
        unit.issued_tokens.remove(_digest(secret))
    services.known_tokens.forget()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
