"""Who calls, and what that caller may do.

Dependencies are coroutines: FastAPI calls each plain function in another thread, which costs more than what these do.
"""

import base64
import binascii
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from libra.api.doors import Doors
from libra.api.errors import Unauthorized
from libra.errors import Forbidden, Invalid
from libra.messages.addresses import parse_ip_address
from libra.model.access import Caller, Role
from libra.usecases.admin.comments import parse_comment
from libra.usecases.identity import look_for_token
from libra.usecases.services import Services
from libra.usecases.tokens import LONGEST_SECRET, identify

LONGEST_ELSEWHERE = 8192

COMMENT_HEADER = "x-libra-comment"
"""Why it is asked; for the events."""


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
    return replace(caller, remote=remote_of(request), comment=_comment(request))


def remote_of(request: Request) -> str:
    """Of the connection, or what a proxy on this host says by X-Forwarded-For, which may be anything."""
    host = request.client.host if request.client is not None else ""
    return parse_ip_address(host) or ""


def _comment(request: Request) -> str:
    """UTF-8, which Starlette takes for Latin-1. Raises `Invalid`."""
    text, *more = request.headers.getlist(COMMENT_HEADER) or [""]
    if more:
        raise Invalid("cannot take the comment: X-Libra-Comment is given twice")
    if text.isascii():
        return parse_comment(text)
    try:
        return parse_comment(text.encode("latin-1").decode())
    except UnicodeDecodeError:
        raise Invalid("cannot take the comment: it is not UTF-8") from None


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


PEOPLE = (Role.ADMIN, Role.OPERATOR, Role.MEMBER, Role.READER)
"""Deployers may do what names them, and nothing else."""
EVERYBODY = allow(*PEOPLE)
WRITERS = allow(Role.ADMIN, Role.OPERATOR, Role.MEMBER)
OBSERVERS = allow(*PEOPLE, everywhere=True)
OPERATORS = allow(Role.ADMIN, Role.OPERATOR)
ADMINS = allow(Role.ADMIN)
DEPLOYERS = allow(Role.ADMIN, Role.OPERATOR, Role.DEPLOYER)


async def read_nodes(caller: Asking) -> None:
    """Nodes are nobody's in particular: deployers see them, and whoever no project bounds."""
    if caller.role is not Role.DEPLOYER and not caller.sees_everything:
        raise Forbidden(f"cannot do that: '{caller.name}' has the role {caller.role.value}")


NODE_READERS = read_nodes
