"""Tokens that a Keystone checks, by keystonemiddleware: the extra `keystone`."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any

import structlog

from libra.config.identity import KeystoneSettings
from libra.errors import StateError, StorageUnavailable
from libra.model.access import Caller, Role

log = structlog.get_logger(__name__)

MOST = 10_000
Environ = dict[str, Any]
Middleware = Callable[[Environ, Callable[..., object]], Iterable[bytes]]


class KeystoneDoor:
    """Called with a token and a request's id: the caller, or None. Safe for several threads.

    Raises `StorageUnavailable` where Keystone does not answer.
    """

    def __init__(
        self,
        settings: KeystoneSettings,
        middleware: Middleware | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._middleware = middleware or _open(settings)
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Caller | None]] = {}

    def __call__(self, secret: str, request_id: str) -> Caller | None:
        """What Keystone said at most `cache_seconds` ago, or says now."""
        digest = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
        now = self._clock()
        asked_at, caller = self._kept.get(digest, (0.0, None))
        if caller is None or now - asked_at >= self._settings.cache_seconds:
            caller = self._ask(secret)
            self._keep(digest, now, caller)
        return replace(caller, request_id=request_id) if caller is not None else None

    def _keep(self, digest: str, now: float, caller: Caller | None) -> None:
        """Those alone that are good: whoever is refused may be let in the next moment."""
        with self._lock:
            if len(self._kept) >= MOST:
                self._kept.clear()
            if caller is not None:
                self._kept[digest] = (now, caller)
            else:
                self._kept.pop(digest, None)

    def _ask(self, secret: str) -> Caller | None:
        if not (secret.isascii() and secret.isprintable()):
            return None  # it would not be a header any more
        environ: Environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/",
            "SERVER_NAME": "libra",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_X_AUTH_TOKEN": secret,
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(),
            "wsgi.errors": BytesIO(),
            "wsgi.version": (1, 0),
        }
        told: list[str] = []
        list(self._middleware(environ, lambda status, *_: told.append(status)))
        if told and told[0].startswith("503"):
            raise StorageUnavailable("cannot check the token: Keystone does not answer")
        return read_caller(environ, self._settings)


def read_caller(environ: Mapping[str, Any], settings: KeystoneSettings) -> Caller | None:
    """Pure: by what the middleware wrote; None for no good token, and for one without a role that counts here."""
    if environ.get("HTTP_X_IDENTITY_STATUS") != "Confirmed":
        return None
    roles = {role.strip().lower() for role in environ.get("HTTP_X_ROLES", "").split(",")}
    project = environ.get("HTTP_X_PROJECT_ID") or None
    chosen = choose_role(roles, settings)
    if chosen is None:
        return None
    role, everywhere = chosen
    if project is None and role in (Role.MEMBER, Role.READER) and not everywhere:
        return None  # a token of a domain, or of none: nothing is theirs
    user = environ.get("HTTP_X_USER_ID", "")
    return Caller(
        name=environ.get("HTTP_X_USER_NAME") or user,
        role=role,
        project_id=None if everywhere else project,
        oid=user,
    )


def choose_role(roles: Iterable[str], settings: KeystoneSettings) -> tuple[Role, bool] | None:
    """The highest, and whether it reads every project's."""
    held = set(roles)
    for names, role, everywhere in (
        (settings.admin_roles, Role.ADMIN, False),
        (settings.operator_roles, Role.OPERATOR, False),
        (settings.member_roles, Role.MEMBER, False),
        (settings.observer_roles, Role.READER, True),
        (settings.reader_roles, Role.READER, False),
    ):
        if held & {name.lower() for name in names}:
            return role, everywhere
    return None


def open_door(settings: KeystoneSettings) -> KeystoneDoor | None:
    """None where no Keystone is configured. Raises `StateError`."""
    return KeystoneDoor(settings) if settings.auth_url is not None else None


def _open(settings: KeystoneSettings) -> Middleware:
    """Without the middleware's own cache, which keeps everything for ever, and without reading any file of its own."""
    try:
        from keystonemiddleware.auth_token import AuthProtocol
        from oslo_config import cfg
    except ModuleNotFoundError as error:
        raise StateError(
            f"cannot ask Keystone: {error.name} is missing; pip install 'libra[keystone]'"
        ) from error
    conf = {
        "oslo_config_config": cfg.ConfigOpts(),
        "auth_type": "password",
        "auth_url": settings.auth_url,
        "www_authenticate_uri": settings.auth_url,
        "username": settings.username,
        "password": _read_password(settings),
        "project_name": settings.project_name,
        "user_domain_name": settings.domain,
        "project_domain_name": settings.domain,
        "cafile": str(settings.ca_file) if settings.ca_file else None,
        "http_connect_timeout": settings.timeout_seconds,
        "http_request_max_retries": 1,
        "interface": settings.interface,
        "delay_auth_decision": False,  # which would take a Keystone that is down for a refusal
        "token_cache_time": -1,
        "service_token_roles_required": True,
    }
    middleware: Middleware = AuthProtocol(_answer, conf)
    return middleware


def _answer(_environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b""]


def _read_password(settings: KeystoneSettings) -> str:
    assert settings.password_file is not None
    try:
        return settings.password_file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise StateError(f"cannot read {settings.password_file}: {why}") from error
