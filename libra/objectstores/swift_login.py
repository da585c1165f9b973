"""A token for an account of Swift: from its own /auth/v1.0, or from Keystone's /v3. One request, one deadline.

By swiftclient's connection as ours is, and not by its `get_auth`: that one follows redirects with the key in its hands,
takes proxies from the environment, and for Keystone needs another package.
"""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from libra.errors import ObjectStoreError
from libra.model.objectstore import AuthVersion, Credentials
from libra.objectstores.base import Account, Grant
from libra.objectstores.endpoints import Endpoint
from libra.objectstores.retries import Deadline
from libra.objectstores.swift_client import ClientException
from libra.objectstores.swift_connection import SwiftConnection, silence_loggers
from libra.objectstores.swift_failures import ERRORS, explain

MOST_CATALOG_BYTES = 4 * 1024 * 1024
V3_PATH = "/v3/auth/tokens"


def log_in(where: Endpoint, given: Credentials, trust: ssl.SSLContext, seconds: float) -> Grant:
    """Within so many seconds altogether; raises `ObjectStoreError`, without the key."""
    silence_loggers()
    connection = SwiftConnection(str(where), trust)
    connection.most_answer_bytes = MOST_CATALOG_BYTES
    connection.limit(seconds)
    deadline = Deadline(timedelta(seconds=seconds))
    ask = _ask_keystone if given.auth_version is AuthVersion.V3 else _ask_swift
    with _aborted_after(connection, seconds):
        try:
            return ask(connection, where, given)
        except ERRORS as error:
            failure = explain(error, f"the login of {given.user}", given.key)
    # Outside of the handler: the chain of the foreign error may hold the key.
    late = deadline.has_passed and failure.status is None
    words = f"it gave no whole answer within {seconds:g} s" if late else failure.words
    raise ObjectStoreError(f"cannot log in to {where}: {words}", failure.status)


@contextmanager
def _aborted_after(connection: SwiftConnection, seconds: float) -> Iterator[None]:
    """A server may send a byte at a time for ever, which no network operation's limit ends."""
    timer = threading.Timer(seconds, connection.abort)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        connection.close()


def _ask_swift(connection: SwiftConnection, where: Endpoint, given: Credentials) -> Grant:
    headers = {"X-Auth-User": given.user, "X-Auth-Key": given.key}
    connection.request("GET", where.path or "/", "", headers)
    answer, _ = _read(connection)
    token = answer.headers.get("X-Storage-Token") or answer.headers.get("X-Auth-Token")
    endpoint = answer.headers.get("X-Storage-Url")
    if not token or not endpoint:
        raise ObjectStoreError(f"cannot log in to {where}: it answers without X-Storage-Url")
    life = answer.headers.get("X-Auth-Token-Expires", "")
    lasts = timedelta(seconds=int(life)) if life.isdecimal() and len(life) < 10 else None
    return Grant(account=Account(endpoint=endpoint, token=token), lasts=lasts)


def _ask_keystone(connection: SwiftConnection, where: Endpoint, given: Credentials) -> Grant:
    project, _, user = given.user.partition(":")
    domain = {"name": given.domain}
    person = {"name": user, "domain": domain, "password": given.key}
    body = {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": person}},
            "scope": {"project": {"name": project, "domain": domain}},
        }
    }
    path = where.path.removesuffix("/auth/tokens").removesuffix("/v3") + V3_PATH
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    connection.request("POST", path, json.dumps(body), headers)
    answer, content = _read(connection)
    token = answer.headers.get("X-Subject-Token")
    try:
        told = json.loads(content)["token"]
        endpoint = _find_endpoint(told["catalog"], given.region)
        lasts = _lasts(told.get("expires_at"))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ObjectStoreError(
            f"cannot log in to {where}: it does not speak Keystone's v3"
        ) from None
    if not token:
        raise ObjectStoreError(f"cannot log in to {where}: it answers without X-Subject-Token")
    if endpoint is None:
        region = f" in the region {given.region!a}" if given.region else ""
        raise ObjectStoreError(f"cannot log in to {where}: its catalog has no object store{region}")
    return Grant(account=Account(endpoint=endpoint, token=token), lasts=lasts)


def _read(connection: SwiftConnection) -> tuple[requests.Response, bytes]:
    """Raises `ClientException` for every status but success."""
    answer = connection.getresponse()
    content: bytes = answer.read()  # type: ignore[attr-defined]
    if not 200 <= answer.status_code <= 299:
        raise ClientException.from_response(answer, "", content)
    return answer, content


def _find_endpoint(catalog: list[dict[str, Any]], region: str) -> str | None:
    """The first public one of an object store, in the region where one is wanted."""
    for service in catalog:
        if service["type"] != "object-store":
            continue
        for one in service["endpoints"]:
            if one["interface"] == "public" and region in ("", one.get("region")):
                return str(one["url"])
    return None


def _lasts(text: str | None) -> timedelta | None:
    """From now on; raises `ValueError`."""
    if text is None:
        return None
    until = datetime.fromisoformat(text)
    return (until if until.tzinfo else until.replace(tzinfo=UTC)) - datetime.now(UTC)
