"""An object store in the process's memory: for trials and tests. What it holds ends with the process."""

import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from libra.errors import ObjectStoreError
from libra.model.objectstore import Credentials
from libra.objectstores.base import Account, Grant, ObjectStore, StoredObject

if TYPE_CHECKING:
    from libra.config.settings import ObjectStoreSettings

MOST_BYTES = 16 * 1024 * 1024  # a message must not be able to fill the worker's memory


def create_store(settings: "ObjectStoreSettings") -> ObjectStore:  # noqa: ARG001 - the entry point's signature
    """The store behind `hpcs_object_store_type: memory`."""
    return MemoryStore()


class MemoryStore(ObjectStore):
    """Takes every account; holds at most `most_bytes` altogether."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def check(self, account: Account) -> None:
        """There is nothing to refuse."""

    def log_in(self, credentials: Credentials) -> Grant:
        """Whoever asks gets a token of a moment's number."""
        account = Account(endpoint=credentials.auth_url, token=f"memory-{time.monotonic_ns()}")
        return Grant(account=account)

    def put(
        self,
        account: Account,  # noqa: ARG002 - every account sees the same objects
        container: str,
        name: str,
        blocks: Iterator[bytes],
    ) -> StoredObject:
        """Keep the object; raises `ObjectStoreError` with 507 where there is no room for it."""
        path = f"{container}/{name}"
        room = self._most_bytes - self._size_without(path)
        data = bytearray()
        for block in blocks:
            data += block
            if len(data) > room:
                raise ObjectStoreError(
                    f"cannot store {path}: the memory store holds at most {self._most_bytes} bytes",
                    status=507,
                )
        with self._lock:
            self._objects[path] = bytes(data)
        return StoredObject(path=path, size=len(data))

    def get(self, path: str) -> bytes | None:
        """The bytes at container/object, None where there is nothing."""
        with self._lock:
            return self._objects.get(path)

    def paths(self) -> list[str]:
        """Every container/object."""
        with self._lock:
            return sorted(self._objects)

    def _size_without(self, path: str) -> int:
        with self._lock:
            return sum(len(data) for key, data in self._objects.items() if key != path)
