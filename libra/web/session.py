"""Who looks at the page: a token's holder, remembered by a cookie that only a controller can read.

The cookie holds the digest of the token, never the token itself, sealed with the key that all controllers on one
database share. It is good for as long as the token is, and for `LONGEST` at most.
"""

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from fastapi import Request, Response

from libra.api.auth import remote_of
from libra.errors import Invalid
from libra.model.access import Caller
from libra.usecases.identity import look_for_token
from libra.usecases.services import Services
from libra.usecases.tokens import LONGEST_SECRET, identify

COOKIE = "libra_session"
PATH = "/ui"
LONGEST = timedelta(hours=12)
LONGEST_COOKIE = 2048
CSRF_BYTES = 16


@dataclass(frozen=True, slots=True)
class Visitor:
    """`csrf` is what every form of this session has to bring along."""

    caller: Caller
    csrf: str

    def owns(self, csrf: str) -> bool:
        """Whether a form is of this session."""
        return hmac.compare_digest(self.csrf.encode(), csrf.encode("utf-8", "replace"))


def sign_in(services: Services, secret: str, request_id: str) -> tuple[Caller, str] | None:
    """Who that is, and the cookie's value; None for a token that is not good."""
    if not secret or len(secret) > LONGEST_SECRET:
        return None
    digest = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
    caller = _identify(services, digest, request_id)
    if caller is None:
        return None
    kept = {
        "digest": digest,
        "csrf": secrets.token_urlsafe(CSRF_BYTES),
        "since": services.clock().timestamp(),
    }
    return caller, services.sealer.seal(json.dumps(kept))


def visitor_of(services: Services, request: Request) -> Visitor | None:
    """None where nobody is signed in, or the token was revoked or is over."""
    sealed = request.cookies.get(COOKIE, "")
    if not sealed or len(sealed) > LONGEST_COOKIE:
        return None
    try:
        kept: dict[str, Any] = json.loads(services.sealer.unseal(sealed))
    except Invalid:  # of another key, or no cookie of ours
        return None
    since = datetime.fromtimestamp(kept["since"], services.clock().tzinfo)
    if services.clock() - since > LONGEST:
        return None
    caller = _identify(services, kept["digest"], request.state.request_id)
    if caller is None:
        return None
    return Visitor(replace(caller, remote=remote_of(request)), kept["csrf"])


def _identify(services: Services, digest: str, request_id: str) -> Caller | None:
    token = services.known_tokens.get(digest) or look_for_token(services, digest)
    return identify(services, token, None, request_id) if token is not None else None


def remember(response: Response, cookie: str, *, secure: bool) -> None:
    """Scripts cannot read it, and forms of other sites do not bring it along."""
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=int(LONGEST.total_seconds()),
        path=PATH,
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def forget(response: Response) -> None:
    """Signed out."""
    response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="lax")
