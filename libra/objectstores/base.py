"""The interface to an object store. Third parties add one by the entry point `libra.object_stores`."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from libra.errors import NotImplementedHere
from libra.model.objectstore import Credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where and as whom to store: all of it from the message. The token stays out of every repr."""

    endpoint: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A fresh token. `lasts` is None where the store does not say for how long."""

    account: Account
    lasts: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """What was stored: `path` is container/object."""

    path: str
    size: int


class ObjectStore(ABC):
    """A kind of object store.

    An entry point, named as the message's `hpcs_object_store_type`, names a factory
    `create_store(settings: ObjectStoreSettings) -> ObjectStore`. Safe for several threads.
    """

    @abstractmethod
    def check(self, account: Account) -> None:
        """Refuse what can be refused without a connection; raises `Invalid` or `Forbidden`."""

    @abstractmethod
    def put(
        self, account: Account, container: str, name: str, blocks: Iterator[bytes]
    ) -> StoredObject:
        """Store one object, whole or not at all, verified by the store's own checksum.

        Makes the container where it is missing. Reads `blocks` once, in bounded memory, and retries what may pass.
        Raises `ObjectStoreError` with the store's status and words, never with the token.
        """

    def log_in(self, credentials: Credentials) -> Grant:
        """A fresh token and where the account is, within a bounded time. Nothing secret is logged.

        Raises `Invalid` and `Forbidden` as `check`, `ObjectStoreError` with the store's words, and
        `NotImplementedHere` where this kind of store has no accounts.
        """
        raise NotImplementedHere(
            f"cannot log in to {credentials.auth_url}: this kind of object store has no accounts"
        )
