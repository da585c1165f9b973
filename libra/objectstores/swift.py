"""OpenStack Swift, by python-swiftclient, with the storage URL and the token of the message."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog

from libra.errors import Invalid, ObjectStoreError
from libra.model.objectstore import Credentials
from libra.objectstores.base import Account, Grant, ObjectStore, StoredObject
from libra.objectstores.endpoints import Endpoint, EndpointPolicy
from libra.objectstores.manifests import WIDTH
from libra.objectstores.retries import Deadline, RetryPolicy
from libra.objectstores.segments import BufferPool

if TYPE_CHECKING:
    from ssl import SSLContext

    from libra.config.settings import ObjectStoreSettings, SwiftSettings
    from libra.objectstores.swift_sender import Sender
    from libra.objectstores.swift_upload import Upload

log = structlog.get_logger(__name__)

# After a failure somebody waits for the answer: how long removing what is left may take, and each part adds to it.
CLEANING_TIME = timedelta(seconds=5)
CLEANING_TIME_EACH = timedelta(seconds=0.1)
LONGEST_CLEANING_TIME = timedelta(seconds=60)
LONGEST_LOGIN_SECONDS = 30.0  # somebody waits for it


def create_store(settings: "ObjectStoreSettings") -> ObjectStore:
    """The store behind `hpcs_object_store_type: swift`; raises `Invalid` for settings that cannot be used."""
    swift = settings.swift
    retries = RetryPolicy(
        attempts=swift.attempts, network_timeout=timedelta(seconds=swift.timeout_seconds)
    )
    return SwiftStore(swift, retries=retries)


class SwiftStore(ObjectStore):
    """Uploads in segments of one buffer; all uploads of the process share the buffers of one pool."""

    def __init__(
        self,
        settings: "SwiftSettings",
        *,
        retries: RetryPolicy,
        pool: BufferPool | None = None,
        manifest_width: int = WIDTH,
        cleaning_time: timedelta = CLEANING_TIME,
    ) -> None:
        self._settings = settings
        self._policy = EndpointPolicy(settings.allowed_endpoints)
        self._retries = retries
        self._pool = pool or BufferPool()
        self._manifest_width = manifest_width
        self._cleaning_time = cleaning_time
        self._trust: SSLContext | None = None

    def check(self, account: Account) -> None:
        """Raises `Invalid` for an endpoint or a token that cannot be sent, `Forbidden` by allowed_endpoints."""
        self._admit(account)

    def put(
        self, account: Account, container: str, name: str, blocks: Iterator[bytes]
    ) -> StoredObject:
        """Store one object, whole or not at all; where it fails, segments already sent are removed again."""
        from libra.objectstores.swift_upload import Upload

        endpoint = self._admit(account)
        deadline = Deadline(timedelta(seconds=self._settings.total_timeout_seconds))
        upload = Upload(container, name, self._pool, manifest_width=self._manifest_width)
        try:
            with self._open(endpoint, account, self._retries, deadline) as sender:
                upload.run(sender, blocks, deadline)
        except ObjectStoreError as error:
            left = self._remove_rest(upload, endpoint, account)
            raise ObjectStoreError(f"{error}{left}", error.status) from None
        except Exception:
            self._remove_rest(upload, endpoint, account)
            raise
        path = f"{container}/{name}"
        log.info("stored", action="store", path=path, size=upload.size, segments=upload.segments)
        return StoredObject(path=path, size=upload.size)

    def log_in(self, credentials: Credentials) -> Grant:
        """Both the identity service and the storage URL that it tells must be allowed."""
        from libra.objectstores.swift_connection import build_trust
        from libra.objectstores.swift_login import log_in

        where = self._policy.admit(credentials.auth_url, "auth_url", "controller")
        self._trust = self._trust or build_trust(self._settings.ca_file)
        seconds = min(self._settings.timeout_seconds, LONGEST_LOGIN_SECONDS)
        grant = log_in(where, credentials, self._trust, seconds)
        told = "the storage URL that it tells"
        endpoint = self._policy.admit(grant.account.endpoint, told, "controller")
        self._check_token(grant.account)
        return replace(grant, account=replace(grant.account, endpoint=str(endpoint)))

    def _admit(self, account: Account) -> Endpoint:
        endpoint = self._policy.admit(account.endpoint)
        self._check_token(account)
        return endpoint

    def _check_token(self, account: Account) -> None:
        if not account.token or not all("!" <= c <= "~" for c in account.token):
            raise Invalid("cannot use hpcs_object_store_token: must be printable ASCII, no spaces")

    def _open(
        self, endpoint: Endpoint, account: Account, retries: RetryPolicy, deadline: Deadline
    ) -> "Sender":
        from libra.objectstores.swift_connection import build_trust
        from libra.objectstores.swift_sender import Sender
        from libra.objectstores.swift_session import SwiftSession, Target

        self._trust = self._trust or build_trust(self._settings.ca_file)
        target = Target(url=str(endpoint), token=account.token, trust=self._trust)
        return Sender(partial(SwiftSession, target, retries, deadline))

    def _remove_rest(self, upload: "Upload", endpoint: Endpoint, account: Account) -> str:
        """Best effort; gives words about what is left."""
        from libra.objectstores.swift_cleaning import remove_objects

        rest = list(upload.rest())
        if not rest:
            return ""
        time = self._cleaning_time + len(rest) * CLEANING_TIME_EACH
        deadline = Deadline(min(time, LONGEST_CLEANING_TIME))
        retries = replace(self._retries, attempts=2)
        with self._open(endpoint, account, retries, deadline) as sender:
            left = remove_objects(sender, rest, deadline)
        if not left:
            return ""
        path = "/".join(rest[-1])
        log.warning("may be left in the store", action="store", count=left, last=path)
        if upload.segments == 0:
            return f"; whether {path} is there is not known"
        return f"; up to {left} parts of it are left, such as {path}"
