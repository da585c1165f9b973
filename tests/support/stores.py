"""Object stores under test, with a look past them into what they hold."""

import random
import threading
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest

from libra.config.settings import SwiftSettings
from libra.errors import ObjectStoreError
from libra.objectstores.base import Account, ObjectStore
from libra.objectstores.memory import MemoryStore
from libra.objectstores.retries import RetryPolicy
from libra.objectstores.segments import BufferPool
from libra.objectstores.swift import SwiftStore
from tests.support.swift_lab import SwiftLab

LOCAL = ("http://127.0.0.1:*", "https://127.0.0.1:*")
QUICK = RetryPolicy(
    attempts=3, first_delay=timedelta(milliseconds=20), network_timeout=timedelta(seconds=5)
)
SMALL_SEGMENT = 64 * 1024
SMALL = b"a small log\n"
LARGE = random.Random(1).randbytes(5 * SMALL_SEGMENT + 17)  # six segments


def build_swift_store(
    *,
    retries: RetryPolicy = QUICK,
    segment_bytes: int = SMALL_SEGMENT,
    manifest_width: int = 250,
    total_timeout_seconds: float = 60,
    ca_file: Path | None = None,
    allowed: tuple[str, ...] = LOCAL,
) -> SwiftStore:
    """With small segments, so that small data is large enough, and short waits."""
    settings = SwiftSettings(
        allowed_endpoints=allowed, total_timeout_seconds=total_timeout_seconds, ca_file=ca_file
    )
    return SwiftStore(
        settings,
        retries=retries,
        pool=BufferPool(segment_bytes=segment_bytes),
        manifest_width=manifest_width,
        cleaning_time=timedelta(seconds=1),
    )


def build_account(swift: SwiftLab, endpoint: str | None = None) -> Account:
    """Into the account test, with a fresh token."""
    return Account(endpoint=endpoint or swift.storage_url, token=swift.token())


class StoreBench(Protocol):
    """A store, an account in it, and its containers from outside."""

    store: ObjectStore
    account: Account

    def read(self, path: str) -> bytes:
        """The bytes at container/object."""

    def paths(self, container: str) -> list[str]:
        """Everything that was stored for a container, segments included."""


@dataclass
class MemoryBench:
    """The twin."""

    store: MemoryStore
    account: Account

    def read(self, path: str) -> bytes:
        """The bytes at container/object."""
        data = self.store.get(path)
        assert data is not None
        return data

    def paths(self, container: str) -> list[str]:
        """Everything in a container."""
        return [path for path in self.store.paths() if path.startswith(f"{container}/")]


@dataclass
class SwiftBench:
    """The real one."""

    swift: SwiftLab
    store: SwiftStore
    account: Account

    def read(self, path: str) -> bytes:
        """The bytes at container/object, as Swift puts them together."""
        return self.swift.download(path)

    def paths(self, container: str) -> list[str]:
        """Everything in a container and in that of its segments."""
        containers = (container, f"{container}_segments")
        return [f"{one}/{name}" for one in containers for name in self.swift.names(one)]


def put(account: Account, container: str, data: bytes = SMALL, **options: Any) -> str:
    """Store it as "x" and give the path."""
    return build_swift_store(**options).put(account, container, "x", iter([data])).path


def fail(account: Account, container: str, data: bytes = SMALL, **options: Any) -> ObjectStoreError:
    """The error of an upload that cannot succeed. No thread is left by it, and no other library's error."""
    with pytest.raises(ObjectStoreError) as caught:
        put(account, container, data, **options)
    assert not [one for one in threading.enumerate() if one.name == "swift-sender"]
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value
