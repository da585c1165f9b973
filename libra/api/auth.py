"""Who calls, and what that caller may do.

Dependencies are coroutines: FastAPI calls each plain function in another thread, which costs more than what these do.
"""

import base64
import binascii
import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from libra.api.doors import Doors
from libra.api.errors import Unauthorized
from libra.errors import Forbidden
from libra.model.access import Caller, Role
from libra.usecases.identity import look_for_token
from libra.usecases.services import Services
from libra.usecases.tokens import LONGEST_SECRET, identify

LONGEST_ELSEWHERE = 8192


async def services_of(request: Request) -> Services:
    """What was wired."""
    services: Services = request.app.state.services
    return services


async def caller_of(request: Request) -> Caller:
    """By X-Auth-Token, a bearer token, or basic authentication with a token's name and secret.

    Without any of them where callers of this host may be anonymous, and by a token that another service knows.
    """
    doors: Doors = request.app.state.doors
    anonymous = doors.anonymous_caller(request)
    if anonymous is not None:
        return anonymous
    name, secret = _credentials(request)
    if not secret or len(secret) > _longest(doors):
        raise Unauthorized("a token is required: X-Auth-Token, or basic authentication")
    digest = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
    services: Services = request.app.state.services
    token = services.known_tokens.get(digest)
    token = token or await run_in_threadpool(look_for_token, services, digest)
    request_id = request.state.request_id
    caller = identify(services, token, name, request_id) if token else None
    if token is None and name is None and doors.elsewhere is not None:
        caller = await run_in_threadpool(doors.elsewhere, secret, request_id)
    if caller is None:
        raise Unauthorized("the token is not known, was revoked, or has expired")
    return caller


def _credentials(request: Request) -> tuple[str | None, str]:
    token = request.headers.get("x-auth-token")
    if token:
        return None, token
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return None, value.strip()
    if kind.lower() == "basic":
        return _basic(value)
    return None, ""


def _basic(value: str) -> tuple[str | None, str]:
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise Unauthorized("the basic authentication cannot be read") from None
    return name, secret


def _longest(doors: Doors) -> int:
    """Others' tokens may be much longer than ours."""
    return LONGEST_SECRET if doors.elsewhere is None else LONGEST_ELSEWHERE


Asking = Annotated[Caller, Depends(caller_of)]
Given = Annotated[Services, Depends(services_of)]


def allow(*roles: Role, everywhere: bool = False) -> Callable[[Asking], Awaitable[None]]:
    """A dependency that lets these roles through; `everywhere` only those that no project bounds."""

    async def check(caller: Asking) -> None:
        if caller.role not in roles or (everywhere and not caller.sees_everything):
            raise Forbidden(f"cannot do that: '{caller.name}' has the role {caller.role.value}")

    return check


EVERYBODY = allow(*Role)
WRITERS = allow(Role.ADMIN, Role.OPERATOR, Role.MEMBER)
OBSERVERS = allow(*Role, everywhere=True)
OPERATORS = allow(Role.ADMIN, Role.OPERATOR)
ADMINS = allow(Role.ADMIN)
